// What test/clients/read_test.py asks npm imapflow to do; prints one JSON line a step. Everything it needs comes in the
// environment: HOST PORT AUSER APASS CA. Exits 0 when every expectation held.
import { ImapFlow } from 'imapflow';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

const say = (step, value) => console.log(JSON.stringify({ step, value }));
const open = (extra = {}) => new ImapFlow({
    host: 'localhost', port: Number(process.env.PORT), secure: true,
    auth: { user: process.env.AUSER, pass: process.env.APASS },
    tls: { ca: readFileSync(process.env.CA) }, logger: false, ...extra
});

const client = open();
await client.connect();
say('capabilities', [...client.capabilities.keys()].sort());

// mailboxes
await client.mailboxCreate('Flöw/Käse & Brot');
const list = await client.list({ statusQuery: { messages: true, unseen: true } });
const made = list.find(m => m.path === 'Flöw/Käse & Brot');
assert.ok(made && made.status.messages === 0, 'the new mailbox is listed with its status');
assert.equal(list.find(m => m.specialUse === '\\Sent').path, 'Sent');
say('list', list.map(m => m.path));

// append and read back
const text = 'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: a@demo.test\r\nTo: b@demo.test\r\nMIME-Version: 1.0\r\n' +
    'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n' +
    'Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gV29ybGQ=\r\n--x\r\nContent-Type: application/octet-stream; name=a.bin\r\n' +
    'Content-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--x--\r\n';
const put = await client.append('Flöw/Käse & Brot', text, ['\\Seen', 'custom'], new Date('2026-01-02T03:04:05Z'));
assert.ok(put.uid >= 1 && put.uidValidity, 'APPENDUID');
const lock = await client.getMailboxLock('Flöw/Käse & Brot');
try {
    assert.equal(client.mailbox.exists, 1);
    const one = await client.fetchOne('*', {
        uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, source: true,
        headers: ['subject'], threadId: true
    });
    assert.equal(one.source.toString(), text, 'the source is what was appended');
    assert.equal(one.envelope.subject, 'Grüße');
    assert.equal(one.internalDate.toISOString(), '2026-01-02T03:04:05.000Z');
    assert.deepEqual([...one.flags].filter(f => f !== '\\Recent').sort(), ['\\Seen', 'custom']);
    assert.equal(one.bodyStructure.childNodes.length, 2);
    assert.equal(one.bodyStructure.childNodes[1].dispositionParameters.filename, 'a.bin');
    assert.equal(one.size, Buffer.byteLength(text));
    const part = await client.download('*', '1');
    let got = '';
    for await (const chunk of part.content) got += chunk;
    assert.equal(got, 'Hello World');
    say('fetch', one.uid);

    // flags, search
    assert.ok(await client.messageFlagsAdd({ uid: `${one.uid}` }, ['\\Flagged'], { uid: true }));
    assert.deepEqual(await client.search({ flagged: true, subject: 'GRÜSSE'.replace('SS', 'ß') }, { uid: true }), [one.uid]);
    assert.deepEqual(await client.search({ body: 'hello world' }, { uid: true }), [one.uid]);
    assert.deepEqual(await client.search({ unseen: true }, { uid: true }), []);
    assert.ok(await client.messageFlagsSet(`${one.uid}`, ['\\Answered'], { uid: true }));
    assert.deepEqual([...(await client.fetchOne(`${one.uid}`, { flags: true }, { uid: true })).flags].filter(f => f !== '\\Recent'), ['\\Answered']);
    say('search', true);

    // copy, move, delete
    const copied = await client.messageCopy(`${one.uid}`, 'Archive', { uid: true });
    assert.equal(copied.uidMap.size, 1);
    const moved = await client.messageMove(`${one.uid}`, 'Trash', { uid: true });
    assert.equal(moved.uidMap.size, 1);
    assert.equal((await client.status('Trash', { messages: true })).messages, 1);
    say('move', true);
} finally {
    lock.release();
}

// pushed while idle
const inbox = await client.getMailboxLock('INBOX');
const before = client.mailbox.exists;
const pushed = new Promise(resolve => client.on('exists', resolve));
const idling = client.idle();
const other = open();
await other.connect();
await other.append('INBOX', 'Subject: pushed\r\n\r\nx\r\n');
const event = await pushed;
assert.equal(event.count, before + 1);
await client.noop(); // any command ends it
await idling;
inbox.release();
say('idle', event.count);

await client.mailboxRename('Flöw/Käse & Brot', 'Flöw/Käse');
assert.ok((await client.list()).some(m => m.path === 'Flöw/Käse'));
await client.mailboxDelete('Flöw/Käse');
await client.mailboxSubscribe('Archive');
await other.logout();
await client.logout();
say('done', true);

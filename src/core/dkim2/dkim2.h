/* dkim2: the place of DomainKeys Identified Mail v2, a draft that changes every month. Nothing is built and
 * nothing is wired in: this says which text was read, and where its pieces would go, so that they go nowhere
 * else.
 *
 * What it is: each organization that handles a message adds a numbered signature over hashes of the message
 * as it is now and over this hop of its envelope (MAIL FROM and RCPT TO), so that a chain of custody arises:
 * a replayed message shows another envelope, a changed one carries how to undo the change, and a bounce can
 * be proved and goes back along the chain.
 *
 * Where it would be wired:
 *  1. Verifying: here, a core beside core/dkim with the same verbs (begin, body pieces, end, want, finish).
 * It would take canonical forms, the sharing of body hashes, the choice of fields and the keys from
 *     core/dkim/dkim_parts.h, and tag lists from text/tag_list.h. Unlike DKIM it needs the envelope, which
 * the judge has (ipc/x_judge.h). Its results would be a member of struct auth_results (core/auth).
 *  2. Signing: the envelope of the hop is signed, so not in the judge at submission but in the relay, for
 * each delivery attempt's recipients, by way of ipc/x_keys.h (which would need a form of text of its own in
 *     proc/keys, beside the DKIM digest). The keys and their records are DKIM's; proc/doctor rotates them
 *     alike.
 *  3. Bounces: relay, where core/mail/dsn.h is written and read.
 *  4. DMARC (core/dmarc) would take its passing domain as it takes DKIM's, once an RFC says so.
 *
 * Rules for whoever begins: keep all of it in this folder and behind a setting that is off; change the
 * version below with the text; never let a result of a draft refuse a message. */
#ifndef POSTHORN_CORE_DKIM2_DKIM2_H
#define POSTHORN_CORE_DKIM2_DKIM2_H

/* The text that is meant above. */
#define DKIM2_DRAFT "draft-ietf-dkim-dkim2-spec-09"

#endif

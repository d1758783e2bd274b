#include "proc/doctor/retired.h"

#include "base/buf.h"
#include "base/hash.h"
#include "proc/doctor/own_file.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "text/base64.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RETIRED_FILE  "retired"
#define RETIRED_BYTES ((size_t)64 << 20)

static struct {
    struct hash_key key;
    struct map domains; /* hash of the domain -> struct retired, the first */
    size_t n;
} retired;

static uint64_t retired_key(slice domain)
{
    return hash_slice(&retired.key, domain);
}

const struct retired *retired_of(slice domain)
{
    return map_get(&retired.domains, retired_key(domain));
}

bool retired_is(const uint8_t digest[DIGEST_SHA256_SIZE], slice text)
{
    uint8_t d[DIGEST_SHA256_SIZE];
    digest_sha256(text, d);
    return memcmp(d, digest, sizeof d) == 0;
}

/* ---- in memory */

static void retired_take_out(slice domain, slice selector)
{
    uint64_t key = retired_key(domain); /* now: domain may be r's own */
    struct retired *first = map_get(&retired.domains, key), **at = &first, *r;
    while (*at && !slice_eq(slice_str((*at)->selector), selector))
        at = &(*at)->next;
    if (!(r = *at))
        return;
    *at = r->next;
    free(r);
    retired.n--;
    if (first)
        IGNORE_RESULT(map_put(&retired.domains, key, first), "it takes the old one's place");
    else
        IGNORE_RESULT(map_remove(&retired.domains, key), "it was the last");
}

static bool retired_put_in(slice domain, slice selector, slice digest)
{
    struct dns_name d, s;
    struct retired *r;
    char text[DNS_NAME_MAX + DNS_LABEL_MAX + 16];
    if (retired.n == RETIRED_MAX || digest.n != DIGEST_SHA256_SIZE || dns_name_parse(domain, &d) != OK ||
        dns_name_parse(selector, &s) != OK || d.n == 0 || s.n == 0 || s.n > DNS_LABEL_MAX)
        return false;
    retired_take_out(domain, selector);
    r = calloc(1, sizeof *r);
    must(r);
    memcpy(r->domain, d.text, (size_t)d.n + 1);
    memcpy(r->selector, s.text, (size_t)s.n + 1);
    memcpy(r->digest, digest.p, sizeof r->digest);
    snprintf(text, sizeof text, "%s._domainkey.%s", r->selector, r->domain);
    if (dns_name_parse(slice_str(text), &r->name) != OK) {
        free(r); /* too long a name: it never was in the DNS */
        return false;
    }
    r->next = map_get(&retired.domains, retired_key(slice_str(r->domain)));
    IGNORE_RESULT(map_put(&retired.domains, retired_key(slice_str(r->domain)), r), "it leads to the old one");
    retired.n++;
    return true;
}

/* ---- the file */

static void retired_print(struct buf *b, char what, const struct retired *r)
{
    buf_print(b, "%c %s %s ", what, r->domain, r->selector);
    IGNORE_RESULT(base64_encode(slice_of(r->digest, sizeof r->digest), b), "the buffer keeps the mark");
    buf_byte(b, '\n');
}

static void retired_append(char what, const struct retired *r)
{
    struct buf b CLEANUP(buf_done) = {.max = 1024};
    int fd CLEANUP(fd_done) =
        open(RETIRED_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    retired_print(&b, what, r);
    if (fd < 0 || buf_failed(&b) || fd_write_all(fd, buf_view(&b)) != OK)
        log_warning(
            "doctor's file of DKIM records to be taken away cannot be written: that of %s may stay in the "
            "DNS, where it does no harm",
            r->name.text);
}

static void retired_line(slice line)
{
    struct buf digest CLEANUP(buf_done) = {.max = 64};
    slice what, domain, selector, text;
    (void)slice_split(line, ' ', &what, &line);
    (void)slice_split(line, ' ', &domain, &line);
    if (!slice_split(line, ' ', &selector, &text))
        return;
    if (slice_eq(what, SLICE("-")))
        retired_take_out(domain, selector);
    else if (slice_eq(what, SLICE("+")) && base64_decode(text, &digest) == OK)
        IGNORE_RESULT(retired_put_in(domain, selector, buf_view(&digest)), "a line that is none is left out");
}

/* What is left, in place of all that happened. */
static void retired_write(void)
{
    struct buf b CLEANUP(buf_done) = {.max = RETIRED_BYTES};
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(&retired.domains, &at, &key, &value))
        for (const struct retired *r = value; r; r = r->next)
            retired_print(&b, '+', r);
    if (buf_failed(&b) || own_file_write(RETIRED_FILE, buf_view(&b)))
        log_warning(
            "doctor's file of DKIM records to be taken away cannot be written anew; it stays as it is");
}

void retired_start(void)
{
    struct buf b CLEANUP(buf_done) = {.max = RETIRED_BYTES};
    struct cursor c;
    slice line;
    enum err e;
    retired.key = entropy_hash_key();
    e = own_file_read(RETIRED_FILE, &b);
    if (e == ERR_NOT_FOUND)
        return;
    c = cursor_of(buf_view(&b));
    while (cursor_line(&c, &line))
        retired_line(line);
    if (!e) /* what could not be read to its end is not written over */
        retired_write();
}

/* ---- changes */

void retired_note(slice domain, slice selector, slice record)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    const struct retired *r;
    digest_sha256(record, digest);
    if (!retired_put_in(domain, selector, slice_of(digest, sizeof digest)))
        return;
    for (r = retired_of(domain); r && !slice_eq(slice_str(r->selector), selector);)
        r = r->next;
    if (r)
        retired_append('+', r);
}

void retired_forget(slice domain, slice selector)
{
    for (const struct retired *r = retired_of(domain); r; r = r->next)
        if (slice_eq(slice_str(r->selector), selector)) {
            retired_append('-', r);
            retired_take_out(domain, selector);
            return;
        }
}

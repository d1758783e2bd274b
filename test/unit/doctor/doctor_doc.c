/* Prints docs/doctor.md from the table of findings; with a file as argument, says whether that file is what
 * would be printed: build/test/unit/doctor/doctor_doc > docs/doctor.md */
#include "policy/doctor/finding.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const doc_intro =
    "# What doctor can find\n"
    "\n"
    "Written by `test/unit/doctor/doctor_doc.c` from the table in "
    "`src/policy/doctor/finding.h`; a test compares them.\n"
    "\n"
    "`posthorn doctor [DOMAIN] [--json]` looks at this server as a stranger does: it asks the"
    " name servers of each domain itself (not a cache), connects to each port, reads the "
    "certificates, checks our addresses against reverse names and blocklists. Role doctor "
    "does the same every hour, sends a probe through the whole pipeline, and writes to the "
    "administrator (`admin ADDRESS` in the configuration, else postmaster of the domain that "
    "the server's name lies in, or of the first) once for each change, and once more when a "
    "warning becomes an error. An alert that could not be queued is sent with the next round."
    " Exit status: 0 nothing but notes, 1 warnings, 2 errors.\n"
    "\n"
    "In JSON each finding has `id` (the word below, stable), `severity`, `subject` (the "
    "domain, host, address, certificate or port it is about), `what`, `why`, `mend` (the "
    "exact record in zone form, or a command), `evidence` (what was seen), and, when there "
    "are, `domain` (ours, which it was found with) and `since`. Beside `worst` and `findings`"
    " stand `domains` (how many are ours), `looked_at` and, when those are fewer, `rest_by`.\n"
    "\n"
    "Up to 256 domains are all looked at every time. Of more, a round looks at the domain "
    "that the server's name or its administrator's address lies in, at those that something "
    "was wrong with (at most 256), and at a twentieth of all, at least 256, each in its turn:"
    " so each is looked at within a day. `rest_by` says until when; `posthorn doctor DOMAIN` "
    "looks at one at once. Probes are sent for 32 domains: they all go the same way. An alert"
    " shows the 20 worst changes in full and counts the others.\n"
    "\n"
    "How old a domain is, and when its registration ends, doctor asks the domain's registry "
    "(RDAP, RFC 9082; where that is, IANA's list says), through role fetcher: at most 64 "
    "questions an hour, about a name at most once a day, and never again when the day of "
    "registration is known, but in the last 30 days of a registration. Nothing waits for it; "
    "what no registry says is not known and is no finding. `doctor rdap off` in the "
    "configuration switches it off.\n\n"
    "What doctor does not know: whether a firewall lets others in when it lets us in: it looks from this "
    "machine.\n\n"
    "| id | severity | what | why it matters |\n|---|---|---|---|\n";

int main(int argc, char **argv)
{
    struct buf b = {.max = 1 << 20};
    int status = 0;
    (void)buf_str(&b, doc_intro);
    for (size_t i = 0; i < FINDING__COUNT; i++)
        (void)buf_print(&b, "| `%s` | %s | %s | %s |\n", finding_rows[i].word,
                        finding_severity_name(finding_rows[i].severity), finding_rows[i].title,
                        finding_rows[i].why);
    if (argc < 2) {
        fwrite(b.p, 1, b.n, stdout);
    } else {
        char *have = malloc(1 << 20);
        FILE *f = fopen(argv[1], "rb");
        size_t n = f && have ? fread(have, 1, 1 << 20, f) : 0;
        if (f)
            fclose(f);
        if (!slice_eq(slice_of(have, n), buf_view(&b))) {
            fprintf(stderr, "%s is not what the table says; print it anew with this program\n", argv[1]);
            status = 1;
        }
        free(have);
    }
    buf_done(&b);
    return status;
}

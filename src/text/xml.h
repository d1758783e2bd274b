/* xml: the events of an XML document that comes in pieces, over libxml2's push parser.
 *
 * For documents that strangers send (THREATS 7, 26): no DTD (a DOCTYPE ends it at once), so no entities but
 * the five of XML itself; nothing is ever opened or fetched; bounds on depth, on the length of a tag or
 * comment, on attributes and namespaces, and on the different names used. A library of its own, so that only
 * who reads XML links libxml2.
 *
 * Lenient, because real reporters are not careful: bytes that are no UTF-8 become U+FFFD and control
 * characters become blanks, whatever encoding the document claims; a broken tag is left out and reading goes
 * on behind it. xml_mistakes() counts what was wrong, xml_reason() says the first in words. UTF-16 is told
 * by its mark or by the zero beside its first "<", and made UTF-8 piece by piece before it is read.
 *
 * Memory: below 2 MB for any input. Time: linear in the input. */
#ifndef POSTHORN_TEXT_XML_H
#define POSTHORN_TEXT_XML_H

#include "base/err.h"
#include "base/slice.h"

#define XML_DEPTH_MAX      64
#define XML_TOKEN_MAX      ((size_t)64 * 1024)
#define XML_MISTAKES_MAX   1000
#define XML_ATTRIBUTES_MAX 64  /* of one element, and as many namespaces */
#define XML_SPACES_MAX     128 /* namespaces declared by elements that are open */

struct xml;

/* Names come without their namespace prefix. Text may come in several pieces, also between elements; CDATA
 * is text. The views live during the call. False ends the document: xml_feed() gives ERR_LIMIT. */
struct xml_handler {
    bool (*open)(void *arg, slice name);
    bool (*text)(void *arg, slice text);
    bool (*close)(void *arg, slice name);
};

/* Once, before a process locks itself in: libxml2 sets up its tables. */
void xml_warm_up(void);
/* handler and arg outlive it. NULL when there is no memory. */
struct xml *xml_new(const struct xml_handler *handler, void *arg);
void xml_free(struct xml **x);
/* The next piece. ERR_DENIED: a DOCTYPE; ERR_LIMIT: a bound, or the handler; the document is over then. */
NODISCARD enum err xml_feed(struct xml *x, slice piece);
/* The end. The same errors, and ERR_SYNTAX when there was no element at all. */
NODISCARD enum err xml_end(struct xml *x);
size_t xml_mistakes(const struct xml *x);
/* "line 5: ...", or empty. Printable ASCII. Lives as long as x. */
slice xml_reason(const struct xml *x);

#endif

#include "core/auth/auth_results_read.h"
#include "text/cfws.h"
#include "text/idna.h"

static bool auth_is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A run up to a blank, ";" or "(", and before "=" too when a name is read. May be empty. */
static slice auth_run(struct cursor *c, bool name)
{
    slice all = c->rest;
    size_t n = 0;
    for (; n < all.n; n++) {
        uint8_t b = all.p[n];
        if (auth_is_blank(b) || b == ';' || b == '(' || (name && (b == '=' || b == '"')))
            break;
    }
    cursor_skip(c, n);
    return slice_sub(all, 0, n);
}

/* Undoes quoted-pairs (RFC 5322 §3.2.4). */
static bool auth_unquote(slice inside, struct arena *a, slice *out)
{
    uint8_t *copy;
    size_t n = 0;
    if (!slice_has(inside, '\\')) {
        *out = inside;
        return true;
    }
    copy = arena_alloc(a, inside.n);
    if (!copy)
        return false;
    for (size_t i = 0; i < inside.n; i++) {
        if (inside.p[i] == '\\' && i + 1 < inside.n)
            i++;
        copy[n++] = inside.p[i];
    }
    *out = slice_of(copy, n);
    return true;
}

/* value = token / quoted-string, or what others write in its place. A quoted string that goes on ("a b"@host)
 * is given as it is written. False at the arena's cap. */
static bool auth_value(struct cursor *c, struct arena *a, slice *out)
{
    slice all = c->rest, inside;
    size_t n = 1;
    int next;
    if (cursor_peek(c) != '"') {
        *out = auth_run(c, false);
        return true;
    }
    while (n < all.n && all.p[n] != '"')
        n += all.p[n] == '\\' ? 2 : 1;
    n = size_min(n, all.n);
    inside = slice_sub(all, 1, n);
    cursor_skip(c, n + 1);
    next = cursor_peek(c);
    if (next < 0 || auth_is_blank(next) || next == ';' || next == '(')
        return auth_unquote(inside, a, out);
    (void)auth_run(c, false);
    *out = slice_sub(all, 0, all.n - c->rest.n);
    return true;
}

/* To the ";" that ends this result, or the end. */
static void auth_skip(struct cursor *c)
{
    for (;;) {
        cfws_skip(c);
        int b = cursor_peek(c);
        if (b < 0 || b == ';')
            return;
        cursor_skip(c, 1);
        if (b == '"') {
            while ((b = cursor_next(c)) >= 0 && b != '"')
                if (b == '\\')
                    cursor_skip(c, 1);
        }
    }
}

enum err auth_results_read(slice value, struct arena *a, struct auth_results_reader *out,
                           slice *out_authserv_id)
{
    struct cursor c = cursor_of(value);
    slice id;
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < ' ' && !auth_is_blank(value.p[i])) || value.p[i] == 0x7f)
            return ERR_SYNTAX;
    cfws_skip(&c);
    if (!auth_value(&c, a, &id))
        return ERR_LIMIT;
    if (id.n == 0)
        return ERR_SYNTAX;
    auth_skip(&c); /* the version, if any */
    *out = (struct auth_results_reader){.rest = c, .arena = a};
    *out_authserv_id = id;
    return OK;
}

/* propspec = ptype "." property "=" pvalue; reasonspec = "reason" "=" value. False at the arena's cap. */
static bool auth_read_property(struct auth_results_reader *r, struct auth_results_method *m)
{
    struct cursor *c = &r->rest;
    slice name = auth_run(c, true), value, type;
    cfws_skip(c);
    if (name.n == 0 || !cursor_take(c, '=')) {
        if (name.n == 0)
            cursor_skip(c, 1); /* something that is no property */
        return true;
    }
    cfws_skip(c);
    if (!auth_value(c, r->arena, &value))
        return false;
    if (slice_eq_nocase(name, SLICE("reason"))) {
        if (m->reason.n == 0)
            m->reason = value;
        return true;
    }
    if (m->n == AUTH_RESULTS_PROPERTIES)
        return true;
    if (!slice_split(name, '.', &type, &name)) {
        name = type;
        type = (slice){0};
    }
    m->at[m->n++] = (struct auth_results_property){.type = type, .name = name, .value = value};
    return true;
}

/* resinfo = ";" methodspec [ reasonspec ] 1*propspec; methodspec = Keyword [ "/" version ] "=" Keyword. */
enum err auth_results_next(struct auth_results_reader *r, struct auth_results_method *out)
{
    struct cursor *c = &r->rest;
    while (cursor_take(c, ';')) {
        struct auth_results_method m = {0};
        slice version;
        cfws_skip(c);
        m.method = auth_run(c, true);
        (void)slice_split(m.method, '/', &m.method, &version); /* without a version all of it is the name */
        cfws_skip(c);
        if (m.method.n == 0 || !cursor_take(c, '=')) {
            auth_skip(c); /* "none", or nothing that we know */
            continue;
        }
        cfws_skip(c);
        m.result = auth_run(c, true);
        for (;;) {
            cfws_skip(c);
            if (cursor_end(c) || cursor_peek(c) == ';')
                break;
            if (!auth_read_property(r, &m))
                return ERR_LIMIT;
        }
        if (m.result.n == 0)
            continue;
        *out = m;
        return OK;
    }
    return ERR_NOT_FOUND;
}

const slice *auth_results_property(const struct auth_results_method *m, slice type, slice name)
{
    for (size_t i = 0; i < m->n; i++)
        if (slice_eq_nocase(m->at[i].type, type) && slice_eq_nocase(m->at[i].name, name))
            return &m->at[i].value;
    return NULL;
}

static slice auth_without_dots(slice name)
{
    while (name.n && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

/* As RFC 8601 §2.2 and §5 read it: quoting undone, a U-label made an A-label. */
static bool auth_is_ours_strictly(slice value, slice ours)
{
    struct cursor c = cursor_of(value);
    struct arena a;
    slice id = {0};
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    bool is;
    arena_init(&a, "authserv-id", 65536);
    cfws_skip(&c);
    if (!auth_value(&c, &a, &id))
        id = (slice){0};
    id = auth_without_dots(id);
    is = slice_eq_nocase(id, ours);
    if (!is && id.n <= 4 * IDNA_DOMAIN_MAX && !idna_to_ascii(id, ascii, &n))
        is = slice_eq_nocase(slice_of(ascii, n), ours);
    arena_done(&a);
    return is;
}

static bool auth_is_name_byte(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_';
}

/* As somebody reads it who looks for our name where the authserv-id stands. */
static bool auth_is_ours_carelessly(slice value, slice ours)
{
    slice head, rest;
    (void)slice_split(value, ';', &head, &rest);
    while (head.n) {
        size_t n = 0;
        while (n < head.n && auth_is_name_byte(head.p[n]))
            n++;
        if (n && slice_eq_nocase(auth_without_dots(slice_sub(head, 0, n)), ours))
            return true;
        head = slice_from(head, size_max(n, 1));
    }
    return false;
}

bool auth_results_is_ours(slice value, slice authserv_id)
{
    slice ours = auth_without_dots(authserv_id);
    return ours.n && (auth_is_ours_carelessly(value, ours) || auth_is_ours_strictly(value, ours));
}

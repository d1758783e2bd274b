/* conf__setting: what the parser of lines (conf.c) and the settings (conf_setting.c, conf_setting_net.c)
 * share. For this folder only. */
#ifndef POSTHORN_CONF_CONF_SETTING_H
#define POSTHORN_CONF_CONF_SETTING_H

#include "conf/conf.h"

#define CONF__WORDS_MAX 8
#define CONF__SETTINGS  20

/* One line, split. */
struct conf__line {
    unsigned number;
    slice words[CONF__WORDS_MAX];
    size_t n;
    slice rest; /* all behind the name, trimmed, without the comment */
};

struct conf__state {
    struct conf *c;
    struct conf_problems *problems;
    slice folder;
    unsigned seen[CONF__SETTINGS];          /* line of each setting that may be there once */
    unsigned limit_seen[CONF_LIMIT__COUNT]; /* and of each limit */
};

struct conf__setting {
    const char *name, *usage;
    size_t words_min, words_max; /* the name counted; 0: any number, the line is taken as it is */
    bool once;
    void (*set)(struct conf__state *st, const struct conf__line *l);
};
extern const struct conf__setting conf__settings[CONF__SETTINGS];

/* For "%.*s": quoted text is cut at 64 bytes. */
#define CONF__QUOTE(s) (int)size_min((s).n, 64), (const char *)((s).n ? (const void *)(s).p : "")

/* "Did you mean X?", else the list of what there is, behind `what`. */
void conf__hint_names(char out[256], slice word, const char *const *names, size_t n, const char *what);
/* A file's path; relative ones begin in the folder of the configuration. Adds a mistake when it is none. */
void conf__path_set(struct conf__state *st, const struct conf__line *l, slice word, char out[CONF_PATH_MAX]);
/* Every limit as it is when the file says nothing. */
void conf__limits_preset(struct conf *c);

void conf__set_listen(struct conf__state *st, const struct conf__line *l);
void conf__set_resolver(struct conf__state *st, const struct conf__line *l);
void conf__set_route(struct conf__state *st, const struct conf__line *l);
void conf__set_address(struct conf__state *st, const struct conf__line *l);
void conf__set_dns_update(struct conf__state *st, const struct conf__line *l);

#endif

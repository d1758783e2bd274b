/* posthorn-supervisor --config FILE [--ready-fd N] [--watch-ms N]: started by `posthorn serve`. --watch-ms is
 * for tests, and with 0 for whoever stops a role in a debugger. */
#include "conf/conf_file.h"
#include "proc/supervisor/ground.h"
#include "proc/supervisor/house.h"
#include "proc/supervisor/watch.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int supervisor_usage(void)
{
    fputs("usage: posthorn-supervisor --config FILE [--ready-fd N]   (started by `posthorn serve`)\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static struct conf conf;
    static struct conf_problems problems;
    static struct ground ground;
    struct err_detail detail = {""};
    const char *file = NULL;
    uint32_t ready_fd = UINT32_MAX, watch_ms = WATCH_MS;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--config") == 0)
            file = argv[i + 1];
        else if (strcmp(argv[i], "--watch-ms") == 0 && slice_u32(slice_str(argv[i + 1]), &watch_ms))
            continue;
        else if (strcmp(argv[i], "--ready-fd") != 0 || !slice_u32(slice_str(argv[i + 1]), &ready_fd))
            return supervisor_usage();
    }
    if (!file || argc % 2 == 0)
        return supervisor_usage();
    log_name("supervisor");
    (void)umask(077); /* gives the old mask, which nobody needs */
    if (conf_file_load(file, &conf, &problems)) {
        log_error("%s has mistakes; `posthorn serve --config %s --check` lists them. The first: line %u: %s",
                  file, file, problems.at[0].line, problems.at[0].text);
        return 1;
    }
    if (ground_prepare(&ground, &conf, &detail) || ground_drop_root(&conf, &detail)) {
        log_error("%s", detail.text);
        return 1;
    }
    return house_run(&ground, ready_fd == UINT32_MAX ? -1 : (int)ready_fd, watch_ms);
}

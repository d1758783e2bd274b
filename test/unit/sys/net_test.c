/* net: a port that is taken is refused in words that say by whom to find out. */
#include "lib/test.h"

#include "sys/fd.h"
#include "sys/net.h"

static void a_taken_port_is_refused_in_words(void **state)
{
    static const struct {
        enum err (*open)(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail);
        const char *what, *find;
    } kinds[] = {{net_listen, "cannot listen on 127.0.0.1 port ", "`ss -ltnp` names it"},
                 {net_datagrams, "cannot receive datagrams on 127.0.0.1 port ", "`ss -lunp` names it"}};
    struct ip here;
    (void)state;
    assert_int_equal(ip_parse(SLICE("127.0.0.1"), &here), OK);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct err_detail d = {""};
        int fd = -1, again = -1;
        assert_int_equal(kinds[i].open(&here, 0, &fd, &d), OK);
        assert_int_equal(kinds[i].open(&here, net_port(fd), &again, &d), ERR_CONFIG);
        assert_int_equal(again, -1);
        assert_true(slice_starts(slice_str(d.text), slice_str(kinds[i].what)));
        assert_true(slice_find(slice_str(d.text), slice_str(kinds[i].find)) < strlen(d.text));
        fd_done(&fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_taken_port_is_refused_in_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

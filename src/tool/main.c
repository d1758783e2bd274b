#include "tool/tool.h"

int main(int argc, char **argv)
{
    return (int)tool_main(argc, argv);
}

/* Counts the calls of a process that change a folder (AIM_FOLDER) and does at the AIM_ATth what AIM_DO says: the number of a signal,
 * or with a minus the number of an error, which all later calls that need space or leave get, too. All calls are listed in AIM_LOG. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int count;

static int aimed(const char *call, const char *path, int removes) {
    const char *folder = getenv("AIM_FOLDER"), *at = getenv("AIM_AT"), *act = getenv("AIM_DO");
    if (!folder || strncmp(path, folder, strlen(folder)) || strcmp(program_invocation_short_name, "xtask")) return 0;
    int number = ++count;
    const char *log = getenv("AIM_LOG");
    int fd = log ? syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (fd >= 0) {
        char line[2 * PATH_MAX];
        int length = snprintf(line, sizeof line, "%s %s\n", call, path);
        syscall(SYS_write, fd, line, length);
        syscall(SYS_close, fd);
    }
    if (!at || !act || atoi(at) <= 0) return 0;
    int what = atoi(act);
    if (what > 0 && number == atoi(at)) syscall(SYS_kill, getpid(), what);
    if (what < 0 && number >= atoi(at) && !removes) {
        errno = -what;
        return 1;
    }
    return 0;
}

static const char *of_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static const char *at_fd(int fd, const char *name, char *path) {
    if (*name == '/' || fd == AT_FDCWD) return name;
    of_fd(fd, path);
    strncat(path, "/", PATH_MAX - strlen(path) - 1);
    return strncat(path, name, PATH_MAX - strlen(path) - 1);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;     \
        va_end(list);                                                         \
        REAL(name);                                                           \
        return flags & O_CREAT && aimed("create", path, 0) ? -1 : real(path, flags, mode); \
    }
#define OPENAT(name)                                                          \
    int name(int fd, const char *path, int flags, ...) {                      \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;     \
        va_end(list);                                                         \
        REAL(name);                                                           \
        char full[PATH_MAX];                                                  \
        return flags & O_CREAT && aimed("create", at_fd(fd, path, full), 0) ? -1 : real(fd, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    char path[PATH_MAX];
    return aimed("write", of_fd(fd, path), 0) ? -1 : real(fd, bytes, length);
}

int fsync(int fd) {
    REAL(fsync);
    char path[PATH_MAX];
    return aimed("sync", of_fd(fd, path), 0) ? -1 : real(fd);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return aimed("mkdir", path, 0) ? -1 : real(path, mode);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return aimed("rename", to, 0) ? -1 : real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    return aimed("remove", path, 1) ? -1 : real(path);
}

int rmdir(const char *path) {
    REAL(rmdir);
    return aimed("remove", path, 1) ? -1 : real(path);
}

int unlinkat(int fd, const char *path, int flags) {
    REAL(unlinkat);
    char full[PATH_MAX];
    return aimed("remove", at_fd(fd, path, full), 1) ? -1 : real(fd, path, flags);
}

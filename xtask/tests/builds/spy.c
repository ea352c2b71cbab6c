/* Looks around and tells what it sees: a client app that is nobody's friend. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void tell(const char *what, int yes) { printf("%s: %s\n", what, yes ? "yes" : "no"); }

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void look(const char *path) {
    struct stat seen;
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        tell(path, stat(path, &seen) == 0);
        return;
    }
    fstat(fd, &seen);
    printf("%s: %ld bytes\n", path, (long)seen.st_size);
    close(fd);
}

static void write_to(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    printf("writes ");
    tell(path, fd >= 0);
    if (fd >= 0) close(fd);
}

static int run(const char *word, const char *value) {
    char buffer[65536];
    ssize_t size;
    if (!strcmp(word, "cat"))
        while ((size = read(0, buffer, sizeof buffer)) > 0) write(1, buffer, size);
    else if (!strcmp(word, "exit"))
        return atoi(value);
    else if (!strcmp(word, "abort"))
        abort();
    else if (!strcmp(word, "flood"))
        for (memset(buffer, 'x', sizeof buffer); write(1, buffer, sizeof buffer) > 0;) {}
    else if (!strcmp(word, "memory"))
        puts(mmap(0, 64ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? "refused" : "given");
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3 || atoi(argv[1]) == 0) return run(argv[1], argc > 2 ? argv[2] : "0");
    printf("ids: %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    int capabilities = 0;
    for (int one = 0; one < 41; one++) capabilities += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, one, 0, 0) > 0;
    /* What only capabilities allow. */
    capabilities += setuid(0) == 0 || chroot("/tmp") == 0 || sethostname("x", 1) == 0 || mknod("/tmp/n", S_IFCHR | 0600, 259) == 0;
    printf("capabilities: %d\n", capabilities);
    tell("gains privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
    int count = 0;
    while (environ[count]) count++;
    qsort(environ, count, sizeof *environ, compare);
    printf("environment:");
    for (int one = 0; one < count; one++) printf(" %s", environ[one]);
    printf("\ndescriptors:");
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf(" %d", fd);
    puts("");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(unshare(CLONE_NEWUSER) == 0);
    int status;
    waitpid(child, &status, 0);
    tell("user namespace", WEXITSTATUS(status));
    tell("controlling terminal", open("/dev/tty", O_RDWR) >= 0);
    tell("signals another", kill(atoi(argv[2]), 0) == 0);
    const char *paths[] = {"/etc/shadow", "/etc/passwd", "/root", "/home", "/proc/1/environ", "/proc/self/root/etc", "Cargo.toml", "/usr/bin"};
    for (unsigned one = 0; one < sizeof paths / sizeof *paths; one++) look(paths[one]);
    const char *writes[] = {"/x", "x", "/carveout/x", "/carveout/package/usr/bin/spy", "/carveout/qemu", "/dev/x"};
    for (unsigned one = 0; one < sizeof writes / sizeof *writes; one++) write_to(writes[one]);
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int out = socket(AF_INET, SOCK_STREAM, 0);
    tell("network", out >= 0 && connect(out, (struct sockaddr *)&host, sizeof host) == 0);
    for (int one = 3; one < argc; one++) {
        char *path = strncmp(argv[one], "--also=", 7) ? argv[one] : argv[one] + 7;
        if (one < 5) {
            look(path);
            continue;
        }
        int fd = open(path, O_WRONLY | O_TRUNC);
        if (fd >= 0) write(fd, "from the client app", 19);
    }
    return 0;
}

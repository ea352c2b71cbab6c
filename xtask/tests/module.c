/* A PKCS#11 module that uses another one, REAL_MODULE, and does what tokens have been seen to do, by MODULE_DOES: it prints, it crashes,
 * or its keys ask for the PIN again between C_SignInit and C_Sign (CKA_ALWAYS_AUTHENTICATE). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long Ulong;
struct attribute { Ulong type; void *value; Ulong length; };

/* Behind the version, in the order of pkcs11f.h. */
enum { LOGIN = 19, GET_ATTRIBUTE_VALUE = 25, SIGN_INIT = 43, SIGN = 44, COUNT = 69 };
static void *real[COUNT], *mine[COUNT];
static int begun, asked;

static int does(const char *what)
{
    const char *wanted = getenv("MODULE_DOES");
    return wanted && !strcmp(wanted, what);
}

static Ulong login(Ulong session, Ulong user, unsigned char *pin, Ulong length)
{
    /* CKU_CONTEXT_SPECIFIC; SoftHSM knows nothing of it with this key. */
    if (user == 2)
        return begun && length ? asked = 1, 0 : 0x91;
    return ((Ulong (*)(Ulong, Ulong, unsigned char *, Ulong))real[LOGIN])(session, user, pin, length);
}

static Ulong get_attribute_value(Ulong session, Ulong object, struct attribute *wanted, Ulong count)
{
    if (count == 1 && wanted->type == 0x202 && wanted->value) {
        *(unsigned char *)wanted->value = 1;
        wanted->length = 1;
        return 0;
    }
    return ((Ulong (*)(Ulong, Ulong, struct attribute *, Ulong))real[GET_ATTRIBUTE_VALUE])(session, object, wanted, count);
}

static Ulong sign_init(Ulong session, void *mechanism, Ulong key)
{
    begun = 1;
    asked = 0;
    return ((Ulong (*)(Ulong, void *, Ulong))real[SIGN_INIT])(session, mechanism, key);
}

static Ulong sign(Ulong session, void *data, Ulong size, void *signature, Ulong *length)
{
    if (!asked)
        return 0x101; /* CKR_USER_NOT_LOGGED_IN */
    begun = asked = 0;
    return ((Ulong (*)(Ulong, void *, Ulong, void *, Ulong *))real[SIGN])(session, data, size, signature, length);
}

__attribute__((constructor)) static void loaded(void)
{
    if (does("print")) {
        puts("{\"Ready\": {\"public\": \"00\", \"pads\": false}}");
        fflush(stdout);
    }
}

Ulong C_GetFunctionList(void ***list)
{
    void *library = dlopen(getenv("REAL_MODULE"), RTLD_NOW);
    void **found;
    if (does("crash") || !library || ((Ulong (*)(void ***))dlsym(library, "C_GetFunctionList"))(&found))
        abort();
    memcpy(real, found, sizeof real);
    memcpy(mine, found, sizeof mine);
    if (does("ask")) {
        mine[LOGIN] = login;
        mine[GET_ATTRIBUTE_VALUE] = get_attribute_value;
        mine[SIGN_INIT] = sign_init;
        mine[SIGN] = sign;
    }
    *list = mine;
    return 0;
}

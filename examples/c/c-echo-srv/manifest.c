/* The identity of the trusted app, and the memory that the kernel gives it: the default heap of four pages, whatever the carve-out. */
#include <stddef.h>
#include <trusty_app_manifest.h>

trusty_app_manifest_t TRUSTY_APP_MANIFEST_ATTRS trusty_app_manifest = {
	/* c3a7e0d2-5b4f-4f19-9d8a-6e1c2b3a4d5e */
	{ 0xc3a7e0d2, 0x5b4f, 0x4f19, { 0x9d, 0x8a, 0x6e, 0x1c, 0x2b, 0x3a, 0x4d, 0x5e } },
	{
		TRUSTY_APP_CONFIG_MIN_HEAP_SIZE(4 * 4096),
		TRUSTY_APP_CONFIG_MIN_STACK_SIZE(2 * 4096),
	},
};

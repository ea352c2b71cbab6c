/*
 * What not to do, in C: memory for 64000 values is asked for once, at the start, and what malloc returns is not looked at.
 *
 * A message is the place of its first value, a uint32_t, and values; the answer is the same message. docs/the-carve-out.md tells the
 * story, docs/writing-a-trusted-app.md what to do instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trusty_std.h>

#define PORT "com.carveout.example.c-echo"
#define VALUES 64000
#define MESSAGE 4080
#define HEAD sizeof(uint32_t)

static float *values;
static uint8_t message[MESSAGE];

/* Stores the values of a message. */
static void store(size_t length)
{
	uint32_t first;

	memcpy(&first, message, HEAD);
	if (first <= VALUES && length - HEAD <= (VALUES - first) * sizeof(float))
		memcpy(values + first, message + HEAD, length - HEAD);
}

/* Answers one message. A negative result closes the connection. */
static long serve(handle_t channel)
{
	ipc_msg_info_t info;
	iovec_t part = { message, sizeof(message) };
	ipc_msg_t parts = { 1, &part, 0, NULL };
	long result = get_msg(channel, &info);

	if (result < 0)
		return result;
	result = read_msg(channel, info.id, 0, &parts);
	put_msg(channel, info.id);
	if (result < (long)HEAD)
		return -1;
	store(result);
	part.len = result;
	return send_msg(channel, &parts);
}

int main(void)
{
	uevent_t event;
	uuid_t peer;
	handle_t port;
	long result = port_create(PORT, 16, MESSAGE, IPC_PORT_ALLOW_NS_CONNECT);

	if (result < 0)
		return -1;
	port = (handle_t)result;
	values = malloc(VALUES * sizeof(float));
	fprintf(stderr, "c-echo-srv: all data initialised\n");
	while (wait_any(&event, -1) == 0) {
		if (event.handle == port)
			accept(port, &peer);
		else if (event.event & IPC_HANDLE_POLL_MSG) {
			if (serve(event.handle) < 0)
				close(event.handle);
		} else if (event.event & IPC_HANDLE_POLL_HUP)
			close(event.handle);
	}
	return -1;
}

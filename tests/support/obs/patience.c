/* OBS begins to end the capture of a custom output on a thread of its own, and frees the encoders at once, while video and
 * sound may still be in them: now and then it crashes (issue 10178 of obs-studio). Here it waits until they are out. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

void obs_output_end_data_capture(void *output)
{
    void (*end)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "obs_output_end_data_capture");
    end(output);
    usleep(200 * 1000);
}

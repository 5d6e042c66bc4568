// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-dlopen [PLUGIN]: loads the plugin (.libs/libxs-fi.so) as libfabric does, from a C program.
//
// Checks that it loads with all symbols bound, that it exports fi_prov_ini and nothing else, and
// that what fi_prov_ini returns can be used.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <rdma/fabric.h>
#include <rdma/fi_errno.h>
#include <rdma/providers/fi_prov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// libfabric frees what providers tell it of their variables only if it was awake before.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfabric.so\n";
}

static int passed, failed;

static void check(int good, const char *what)
{
	if (good) {
		passed++;
	} else {
		failed++;
		printf("failed: %s\n", what);
	}
}

static const char *map_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	at = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

// Counts the symbols that the file offers to others; names those that are not `only`.
static int count_exports(const char *file, const char *only)
{
	const Elf64_Ehdr *header = (const void *) file;
	const Elf64_Shdr *sections = (const void *) (file + header->e_shoff);
	int count = 0;

	for (int s = 0; s < header->e_shnum; s++) {
		if (sections[s].sh_type != SHT_DYNSYM)
			continue;
		const Elf64_Sym *symbols = (const void *) (file + sections[s].sh_offset);
		const char *names = file + sections[sections[s].sh_link].sh_offset;
		size_t total = sections[s].sh_size / sizeof(*symbols);

		for (size_t i = 0; i < total; i++) {
			if (symbols[i].st_shndx == SHN_UNDEF || symbols[i].st_name == 0 ||
			    ELF64_ST_BIND(symbols[i].st_info) == STB_LOCAL)
				continue;
			count++;
			if (strcmp(names + symbols[i].st_name, only))
				printf("exported: %s\n", names + symbols[i].st_name);
		}
	}
	return count;
}

static void check_provider(struct fi_provider *provider)
{
	struct fi_info *info = NULL;
	struct fid_fabric *fabric = NULL;

	check(!strcmp(provider->name, "xs"), "its name is xs");
	check(provider->fi_version == fi_version(), "it has the version of the library at hand");
	check(provider->getinfo(fi_version(), "127.0.0.1", NULL, FI_SOURCE, NULL, &info) == 0,
	      "fi_getinfo finds it");
	if (!info)
		return;
	check(provider->fabric(info->fabric_attr, &fabric, NULL) == 0, "its fabric opens");
	if (fabric)
		check(fi_close(&fabric->fid) == 0, "its fabric closes");
	fi_freeinfo(info);
	provider->cleanup();
}

int main(int argc, char **argv)
{
	struct fi_provider *(*ini)(void) = NULL;
	const char *path = argc > 1 ? argv[1] : ".libs/libxs-fi.so";
	const char *file = map_file(path);
	void *plugin;

	check(file != NULL, "the plugin can be read");
	if (file)
		check(count_exports(file, "fi_prov_ini") == 1, "it exports fi_prov_ini alone");
	plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		printf("%s\n", dlerror());
	check(plugin != NULL, "it loads");
	if (plugin)
		*(void **) &ini = dlsym(plugin, "fi_prov_ini");
	check(ini != NULL, "it has fi_prov_ini");
	if (ini)
		check_provider(ini());
	if (plugin)
		check(dlclose(plugin) == 0, "it can be unloaded");
	printf("xs-dlopen: %d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}

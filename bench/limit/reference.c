/*
 * How fast the inner loops of the model could be: the same work over the same data in C, for the ratios of
 * `deno task bench:limit`. The layout is that of Linux 3.17 with EPT; an spte is one uint64_t, a shadow page 512 of
 * them, page tables link pages by number. Prints nanoseconds an item as one line of JSON.
 *
 * usage: reference SCAN_PAGES LOOKUP_PAGES LOOKUPS MARK_PAGES MARKS WALK_PAGES WALKS REPETITIONS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef uint64_t spte_t;

enum { ENTRIES = 512, ROOT_LEVEL = 4, FIRST_RAM_GFN = 0x100000 };

#define PRESENT 1ull
#define LARGE 0x80ull
#define PFN(spte) (((spte) >> 12) & 0xffffffffffull)
#define TABLE_BITS 0x107ull
#define RAM_BITS 0xf77ull

/* Variables, as in the kernel: the module that sets them knows the processor. */
static uint64_t mmio_mask = 3ull << 62 | 6;
static uint64_t access_mask = 0;
static uint64_t generation_mask = 0xfffff;

static spte_t *tables;
static int32_t *mmio_count;
static uint64_t memslots_generation;
static int lock_owner;
static int running;

static struct {
	uint64_t visited, marked, zapped;
} work;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static uint32_t random_state;

/* The generator of loops.ts: both sides see the same items in the same order. */
static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state;
}

static int is_mmio(spte_t spte)
{
	return (spte & mmio_mask) == mmio_mask;
}

/* 3.17: bits 9:1 of the number at bit 3, bits 19:10 at bit 52. */
static spte_t encode(uint64_t gfn, uint64_t access, uint64_t generation)
{
	return mmio_mask | (access & access_mask) | (gfn & 0xffffffffffull) << 12 | (generation >> 1 & 0x1ff) << 3 |
	       (generation >> 10 & 0x3ff) << 52;
}

static uint64_t generation_of(spte_t spte)
{
	spte &= ~mmio_mask;
	return (spte >> 3 & 0x1ff) << 1 | (spte >> 52 & 0x3ff) << 10;
}

static uint64_t current_generation(void)
{
	return memslots_generation & generation_mask;
}

static void allocate(int64_t pages)
{
	tables = calloc(pages * ENTRIES, sizeof(spte_t));
	mmio_count = calloc(pages, sizeof(*mmio_count));
	if (!tables || !mmio_count)
		exit(1);
	memset(tables, 0, pages * ENTRIES * sizeof(spte_t));
}

static void release(void)
{
	free(tables);
	free(mmio_count);
}

/* The sweep over all pages: each has one MMIO spte, the last, and it is current. */
static double scan(int64_t pages)
{
	double start = now();

	for (int64_t page = 0; page < pages; page++) {
		spte_t *table = tables + page * ENTRIES;
		int32_t left = mmio_count[page];
		int index = 0;

		for (; left > 0; index++) {
			spte_t spte = table[index];

			if (!is_mmio(spte))
				continue;
			left--;
			if (generation_of(spte) == current_generation())
				continue;
			table[index] = 0;
			work.zapped++;
		}
		work.visited += index;
	}
	return (now() - start) / (pages * (double)ENTRIES);
}

static double run_scan(int64_t pages, int repetitions)
{
	double best = 1e99;

	allocate(pages);
	for (int64_t page = 0; page < pages; page++) {
		for (int index = 0; index < ENTRIES - 1; index++)
			tables[page * ENTRIES + index] = (uint64_t)(page * ENTRIES + index) << 12 | RAM_BITS;
		tables[page * ENTRIES + ENTRIES - 1] = encode(0xc0000 + page, 0, current_generation());
		mmio_count[page] = 1;
	}
	for (int i = 0; i <= repetitions; i++) {
		double ns = scan(pages);

		if (i > 0 && ns < best)
			best = ns;
	}
	release();
	return best;
}

static int update_in_progress(void)
{
	return memslots_generation & 1;
}

static int check(int64_t page, int index)
{
	spte_t spte = tables[page * ENTRIES + index];

	return is_mmio(spte) && !update_in_progress() && generation_of(spte) == current_generation();
}

/* Just the spte: stamp, encode, store; load, test, decode, judge. */
static void mark(int64_t page, int index, uint64_t gfn, uint64_t access)
{
	tables[page * ENTRIES + index] = encode(gfn, access, current_generation());
}

/* The same with the lock's owner checked, MMIO sptes counted by page, and work counted. */
static void mark_with_books(int64_t page, int index, uint64_t gfn, uint64_t access)
{
	spte_t *entry = tables + page * ENTRIES + index;
	spte_t spte = encode(gfn, access, current_generation());

	if (lock_owner != running)
		abort();
	work.marked++;
	mmio_count[page] += is_mmio(spte) - is_mmio(*entry);
	*entry = spte;
}

static double run_mark_check(int64_t pages, int64_t count, int repetitions, int books)
{
	int32_t *order = malloc(count * sizeof(*order));
	double best = 1e99;

	allocate(pages);
	random_state = 1;
	for (int64_t i = 0; i < count; i++)
		order[i] = next_random() % (pages * ENTRIES);
	for (int i = 0; i <= repetitions; i++) {
		double start, ns;
		int64_t current = 0, stale = 0;

		memslots_generation += 2;
		start = now();
		for (int64_t n = 0; n < count; n++) {
			/* `stale` is 0: it makes each item wait for the one before, as a CPU's faults do. */
			int64_t at = order[n] + stale;

			if (books)
				mark_with_books(at >> 9, at & 511, 0xc0000 + at, 6);
			else
				mark(at >> 9, at & 511, 0xc0000 + at, 6);
			/* What follows is another fault: everything is read again. */
			__asm__ volatile("" ::: "memory");
			stale = !check(at >> 9, at & 511);
			current += !stale;
		}
		ns = (now() - start) / count;
		if (current != count)
			exit(2);
		if (i > 0 && ns < best)
			best = ns;
	}
	free(order);
	release();
	return best;
}

static int64_t pages_used;

static void map(uint64_t gfn)
{
	int64_t page = 0;

	for (int level = ROOT_LEVEL; level > 1; level--) {
		spte_t *entry = tables + page * ENTRIES + (gfn >> 9 * (level - 1) & 511);

		if (!*entry)
			*entry = (uint64_t)pages_used++ << 12 | TABLE_BITS;
		page = PFN(*entry);
	}
	tables[page * ENTRIES + (gfn & 511)] = gfn << 12 | RAM_BITS;
}

/* What a walk leaves behind; see ShadowWalk. */
static struct {
	int64_t page;
	int index, level;
	spte_t spte;
} walk;

static void lookup(uint64_t gfn)
{
	int64_t page = 0;

	for (int level = ROOT_LEVEL;; level--) {
		int index = gfn >> 9 * (level - 1) & 511;
		spte_t spte = tables[page * ENTRIES + index];

		work.visited++;
		if (level == 1 || spte & LARGE || !(spte & PRESENT) || is_mmio(spte)) {
			walk.page = page;
			walk.index = index;
			walk.level = level;
			walk.spte = spte;
			return;
		}
		page = PFN(spte);
	}
}

static double run_lookup(int64_t pages, int64_t lookups, int repetitions)
{
	int32_t *gfns = malloc(lookups * sizeof(*gfns));
	double best = 1e99;
	int64_t mapped = 0;

	allocate(pages + 2);
	for (pages_used = 1; pages_used < pages; mapped++)
		map(FIRST_RAM_GFN + mapped * ENTRIES);
	random_state = 1;
	for (int64_t i = 0; i < lookups; i++)
		gfns[i] = FIRST_RAM_GFN + next_random() % (mapped * ENTRIES);
	for (int i = 0; i <= repetitions; i++) {
		double start = now(), ns;
		uint64_t seen = 0, mmio = 0;

		for (int64_t n = 0; n < lookups; n++) {
			/* `mmio` is 0: it makes each walk wait for the one before, as a CPU's faults do. */
			lookup(gfns[n] + mmio);
			mmio = is_mmio(walk.spte);
			seen += walk.level;
		}
		ns = (now() - start) / lookups;
		if (seen != (uint64_t)lookups)
			exit(2);
		if (i > 0 && ns < best)
			best = ns;
	}
	free(gfns);
	release();
	return best;
}

/*
 * What a walk of guest tables needs beside them: data of a role, as the model has it, so that one walker serves every
 * format, and registers. `special` are a second dimension, EPT and tracepoints, of which only the question is here.
 */
static struct {
	int root_level, level_bits, eight_bytes, special, largest_page;
	uint64_t present, accessed, dirty, pse36_mask;
	uint64_t reserved[2][8];
	uint8_t permissions[16];
	uint32_t pkru_mask;
} role = { .root_level = 4, .level_bits = 9, .eight_bytes = 1, .largest_page = 3,
	   .present = 1, .accessed = 0x20, .dirty = 0x40 };

static struct {
	uint64_t root;
	uint32_t pkru;
	int ac;
} guest;

/* What a walk leaves behind; see GuestWalker. */
static struct {
	uint64_t address, gfn;
	int level, max_level;
	uint32_t pte_access, error;
	uint64_t ptes[8];
} walker;

static uint64_t guest_frames;
static uint64_t gptes_read;

enum { P = 1, W = 2, U = 4, RSVD = 8, F = 16, PK = 32, PAGE_SIZE_BIT = 0x80 };

static int walk_fails(uint32_t error, uint32_t access)
{
	walker.error = error | (access & (W | U | F));
	gptes_read += walker.max_level - walker.level + 1;
	return 0;
}

static int guest_walk(uint64_t address, uint32_t access)
{
	const uint64_t nx = 1ull << 63;
	int level = role.root_level, shift = 12 + (level - 1) * role.level_bits;
	uint64_t pte = guest.root, all = ~0ull, in_page;
	uint32_t pte_access, error, code;

	walker.address = address;
	walker.max_level = level;
	walker.level = level + 1;
	walker.ptes[level + 1] = pte;
	for (;; level--) {
		int index = address >> shift & ((1 << role.level_bits) - 1);
		uint64_t gfn = PFN(pte);

		/* Tables are found in memory that has an end, as a memslot has. */
		if (role.special || gfn >= guest_frames)
			return walk_fails(0, access);
		pte = role.eight_bytes ? tables[gfn * ENTRIES + index] : ((uint32_t *)(tables + gfn * ENTRIES))[index];
		walker.ptes[level] = pte;
		walker.level = level;
		all &= pte ^ nx;
		if (!(pte & role.present))
			return walk_fails(0, access);
		if (pte & role.reserved[pte >> 7 & 1][level])
			return walk_fails(RSVD | P, access);
		if (level == 1 || (pte & PAGE_SIZE_BIT && level <= role.largest_page))
			break;
		shift -= role.level_bits;
	}
	pte_access = (all & (W | U)) | all >> 63;
	code = access & (W | U | F);
	error = role.permissions[(code | (guest.ac ? RSVD : 0)) >> 1] >> pte_access & 1;
	if (role.pkru_mask) {
		uint32_t key = pte >> 59 & 15;

		if (guest.pkru >> 2 * key & role.pkru_mask >> (code | (pte_access & U) << 1) & 3)
			error = P | PK;
	}
	if (error)
		return walk_fails(error, access);
	in_page = (1ull << (shift - 12)) - 1;
	walker.gfn = (PFN(pte) & ~in_page) | (address >> 12 & in_page);
	if (level == 2)
		walker.gfn += (pte & role.pse36_mask) << 7;
	if (!(access & W) && role.dirty && !(pte & role.dirty))
		pte_access &= ~W;
	walker.pte_access = pte_access;
	/* Every entry has been used before: no bit needs to be set. */
	if (role.accessed && !(all & role.accessed & (access & W ? pte >> 1 : ~0ull)))
		exit(2);
	gptes_read += walker.max_level - walker.level + 1;
	return 1;
}

static double run_walk(int64_t pages, int64_t walks, int repetitions)
{
	int32_t *gfns = malloc(walks * sizeof(*gfns));
	double best = 1e99;
	int64_t mapped = 0;

	allocate(pages + 2);
	guest_frames = pages + 2;
	for (pages_used = 1; pages_used < pages; mapped++)
		for (int index = 0; index < ENTRIES; index++)
			map(FIRST_RAM_GFN + mapped * ENTRIES + index);
	/* Guest entries: present, writable, user, accessed, dirty; execution and 1 GiB allowed, MAXPHYADDR 46. */
	for (int64_t i = 0; i < pages_used * ENTRIES; i++)
		if (tables[i])
			tables[i] = (tables[i] & ~0xfffull) | 0x67;
	for (int side = 0; side < 2; side++)
		for (int level = 1; level <= ROOT_LEVEL; level++)
			role.reserved[side][level] = 0x3full << 46 | (level == 4 ? 0x80 : 0) |
						     (side && level == 3 ? 0x3fffe000 : 0) |
						     (side && level == 2 ? 0x1fe000 : 0);
	for (int entry = 0; entry < 16; entry++)
		for (int access = 0; access < 8; access++) {
			int code = entry << 1;
			int fault = (code & U && !(access & U)) || (code & F && !(access & 1)) ||
				    (code & W && !(access & W));

			role.permissions[entry] |= fault << access;
		}
	random_state = 1;
	for (int64_t i = 0; i < walks; i++)
		gfns[i] = FIRST_RAM_GFN + next_random() % (mapped * ENTRIES);
	for (int i = 0; i <= repetitions; i++) {
		double start = now(), ns;
		uint64_t seen = 0, off = 0;

		for (int64_t n = 0; n < walks; n++) {
			/* `off` is 0: it makes each walk wait for the one before, as a CPU's faults do. */
			seen += guest_walk((gfns[n] + off) << 12, U);
			/* What follows is another fault: everything is read again. */
			__asm__ volatile("" ::: "memory");
			off = walker.gfn - gfns[n];
		}
		ns = (now() - start) / walks;
		if (seen != (uint64_t)walks || walker.gfn != (uint64_t)gfns[walks - 1])
			exit(2);
		if (i > 0 && ns < best)
			best = ns;
	}
	free(gfns);
	release();
	return best;
}

int main(int argc, char **argv)
{
	int64_t scan_pages, lookup_pages, lookups, mark_pages, marks, walk_pages, walks;
	int repetitions;

	if (argc != 9) {
		fprintf(stderr, "usage: reference SCAN_PAGES LOOKUP_PAGES LOOKUPS MARK_PAGES MARKS "
				"WALK_PAGES WALKS REPETITIONS\n");
		return 2;
	}
	scan_pages = atoll(argv[1]);
	lookup_pages = atoll(argv[2]);
	lookups = atoll(argv[3]);
	mark_pages = atoll(argv[4]);
	marks = atoll(argv[5]);
	walk_pages = atoll(argv[6]);
	walks = atoll(argv[7]);
	repetitions = atoi(argv[8]);
	printf("{\"scan\":%.4f,", run_scan(scan_pages, repetitions));
	printf("\"mark_check\":%.4f,", run_mark_check(mark_pages, marks, repetitions, 0));
	printf("\"mark_check_books\":%.4f,", run_mark_check(mark_pages, marks, repetitions, 1));
	printf("\"lookup\":%.4f,", run_lookup(lookup_pages, lookups, repetitions));
	printf("\"walk\":%.4f}\n", run_walk(walk_pages, walks, repetitions));
	return 0;
}

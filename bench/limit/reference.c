/*
 * How fast the inner loops of the model could be: the same work over the same data in C, for the ratios of
 * `deno task bench:limit`. The layout is that of Linux 3.17 with EPT; an spte is one uint64_t, a shadow page 512 of
 * them, page tables link pages by number. Prints nanoseconds an item as one line of JSON.
 *
 * usage: reference SCAN_PAGES LOOKUP_PAGES LOOKUPS MARK_PAGES MARKS REPETITIONS
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

int main(int argc, char **argv)
{
	int64_t scan_pages, lookup_pages, lookups, mark_pages, marks;
	int repetitions;

	if (argc != 7) {
		fprintf(stderr, "usage: reference SCAN_PAGES LOOKUP_PAGES LOOKUPS MARK_PAGES MARKS REPETITIONS\n");
		return 2;
	}
	scan_pages = atoll(argv[1]);
	lookup_pages = atoll(argv[2]);
	lookups = atoll(argv[3]);
	mark_pages = atoll(argv[4]);
	marks = atoll(argv[5]);
	repetitions = atoi(argv[6]);
	printf("{\"scan\":%.4f,", run_scan(scan_pages, repetitions));
	printf("\"mark_check\":%.4f,", run_mark_check(mark_pages, marks, repetitions, 0));
	printf("\"mark_check_books\":%.4f,", run_mark_check(mark_pages, marks, repetitions, 1));
	printf("\"lookup\":%.4f}\n", run_lookup(lookup_pages, lookups, repetitions));
	return 0;
}

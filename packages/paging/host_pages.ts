/** Host memory as the MMU sees it: which frame is behind a host virtual address, and how large its host page is. */
export interface HostPages {
  /**
   * Host frame number of an address. Host memory is populated and stays where it is: no notifier ever runs (modelling
   * choice).
   */
  pfn(hva: number): number;
  /** Level of the hugetlbfs page behind an address: 1 for 4 KiB (also for transparent huge pages), 2 for 2 MiB, 3 for 1 GiB. */
  mappingLevel(hva: number): number;
  /** Whether the address lies in a transparent huge page of 2 MiB. */
  isTransparentHuge(hva: number): boolean;
  /** A page as 1024 words of 32 bits, low first: the memory itself. */
  words(pfn: number): Int32Array;
}

/**
 * A device inside the kernel (`kvm_io_device`): it answers MMIO without an exit to user space.
 */
export interface MmioDevice {
  /** A name for people. */
  readonly name: string;
  /** First guest-physical address. */
  readonly gpa: number;
  /** Size of its range in bytes. */
  readonly size: number;
  /** Serves a read of `length` bytes at most 8: fills `data`. */
  read(gpa: number, data: Uint8Array, length: number): void;
  /** Serves a write of `length` bytes at most 8. */
  write(gpa: number, data: Uint8Array, length: number): void;
}

/** Serves MMIO that no device in the kernel answers: the program that runs the VM. */
export interface MmioUserspace {
  /** Serves a read of `length` bytes at most 8: fills `data`. */
  read(gpa: number, data: Uint8Array, length: number): void;
  /** Serves a write of `length` bytes at most 8. */
  write(gpa: number, data: Uint8Array, length: number): void;
}

/** The devices in the kernel, found by address (`kvm_io_bus`). O(devices). */
export class DeviceBus {
  readonly #devices: MmioDevice[] = [];

  /**
   * Adds a device.
   *
   * @throws {RangeError} If its range overlaps that of another.
   */
  add(device: MmioDevice): void {
    const other = this.#devices.find((d) => device.gpa < d.gpa + d.size && d.gpa < device.gpa + device.size);
    if (other !== undefined) throw new RangeError(`Cannot add device '${device.name}': it overlaps '${other.name}'`);
    this.#devices.push(device);
  }

  /** The device that serves all of the bytes, or `undefined`. */
  find(gpa: number, length: number): MmioDevice | undefined {
    for (const device of this.#devices) {
      if (gpa >= device.gpa && gpa + length <= device.gpa + device.size) return device;
    }
    return undefined;
  }
}

/** User space that reads zero and ignores writes. */
export const SILENT_USERSPACE: MmioUserspace = {
  read(_gpa: number, data: Uint8Array): void {
    data.fill(0);
  },
  write(): void {},
};

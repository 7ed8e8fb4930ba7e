/** For sentences about memory and disks: "11.2 GB". */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 95e6 ? 2 : 1)} GB`;
}

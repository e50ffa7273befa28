/** Pictures as people bring them. */

export const TYPES = ["image/png", "image/jpeg", "image/webp"];

/** The first picture among what was dropped or pasted. */
export function pictureIn(brought: DataTransfer | null): File | null {
  const files = [...(brought?.files ?? [])];
  return files.find((each) => each.type.startsWith("image/")) ?? null;
}

/** Whether the server reads pictures of this kind. */
export function readable(file: Blob): boolean {
  return TYPES.includes(file.type);
}

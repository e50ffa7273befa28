/** Where in the studio a person is: the part of the address after `#`. */
import { signal } from "@preact/signals";

export interface Route {
  /** Name of the page, such as `make`. */
  readonly page: string;
  /** What follows it, such as the id of a job. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", ...rest] = path.split("/").map(decoded);
  return { page: page || "make", rest, query: new URLSearchParams(query) };
}

/** The address of a page. */
export function address(page: string, ...rest: string[]): string {
  return "#/" + [page, ...rest].map(encodeURIComponent).join("/");
}

export const route = signal<Route>(parse(window.location.hash));

window.addEventListener("hashchange", () => {
  route.value = parse(window.location.hash);
});

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The page's colours, for what is drawn rather than styled. */

export interface Colours {
  readonly panel: string;
  readonly line: string;
  readonly accent: string;
  readonly warn: string;
}

/** Of the mannequin's left and right, in every theme. */
export const SIDES = ["#4a86b4", "#d9853f"] as const;

/** The colours in force at an element, as `#rrggbb`. */
export function coloursAt(element: Element): Colours {
  const style = getComputedStyle(element);
  const found = (name: string) => plain(style.getPropertyValue(`--${name}`));
  return {
    panel: found("panel"), line: found("line"), accent: found("accent"),
    warn: found("warn"),
  };
}

/** Calls back whenever the page changes between light and dark; returns how to stop. */
export function onTheme(changed: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  const root = new MutationObserver(changed);
  root.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", changed);
    root.disconnect();
  };
}

export function reducedMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

let pen: CanvasRenderingContext2D | null = null;

/** Any colour that CSS knows as `#rrggbb`; three.js reads few of them. */
function plain(colour: string): string {
  pen ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext(
    "2d", { willReadFrequently: true },
  );
  if (pen === null || colour === "") return "#808080";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const rgb = pen.getImageData(0, 0, 1, 1).data.subarray(0, 3);
  return "#" + [...rgb].map((part) => part.toString(16).padStart(2, "0")).join("");
}

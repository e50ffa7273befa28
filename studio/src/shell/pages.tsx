/** The pages, each fetched when it is first opened. A page's folder exports it as `Page`. */
import type { ComponentType } from "preact";

import type { Text } from "./words";

interface Loaded {
  readonly Page: ComponentType;
}

interface Entry {
  readonly name: Text;
  /** The key that leads there, after `g`; "" for a page that is not in the navigation. */
  readonly key: string;
  readonly load: () => Promise<Loaded>;
}

export const PAGES: Readonly<Record<string, Entry>> = {
  make: { name: { en: "Make", zh: "创作" }, key: "m", load: () => import("../make") },
  watch: { name: { en: "Jobs", zh: "任务" }, key: "j", load: () => import("../watch") },
  library: { name: { en: "Library", zh: "作品库" }, key: "l", load: () => import("../library") },
  live: { name: { en: "Live", zh: "实时" }, key: "v", load: () => import("../live") },
  operate: { name: { en: "Operate", zh: "运维" }, key: "o", load: () => import("../operate") },
  job: { name: { en: "Job", zh: "任务详情" }, key: "", load: () => import("../watch/one") },
  compare: { name: { en: "Compare", zh: "对比" }, key: "", load: () => import("../play/page") },
};

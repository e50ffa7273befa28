import { effect } from "@preact/signals";

import { route } from "./route";
import { say, tag } from "./words";

const NOTHING = {
  en: "There is no page named {page}.",
  zh: "没有名为 {page} 的页面。",
};

effect(() => {
  document.documentElement.lang = tag.value;
});

export function App() {
  return <main>{say(NOTHING, { page: route.value.page })}</main>;
}

/** Whether the server has another build of this page, whose parts this one cannot name. */
import { at } from "../api";

/** ms within which the page is not renewed twice: servers of two builds may take turns. */
const ONCE = 60_000;
const RENEWED = "kinesphere.renewed";

/** Loads the page anew where there is another build of it; whether it does. */
export async function renewed(): Promise<boolean> {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.src;
  const name = own?.split("/").pop();
  if (name === undefined || Date.now() - Number(sessionStorage.getItem(RENEWED)) < ONCE) return false;
  const page = await fetch(at(""), { cache: "no-store" });
  if (!page.ok || (await page.text()).includes(name)) return false;
  sessionStorage.setItem(RENEWED, String(Date.now()));
  window.location.reload();
  return true;
}

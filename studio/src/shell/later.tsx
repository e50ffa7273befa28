/** What is fetched when it is first shown, such as a page or the player. */
import { Component, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { Failure } from "./failure";
import { renewed } from "./rebuilt";
import { say } from "./words";

const LOADING = { en: "Loading …", zh: "正在加载…" };

interface Props<P> {
  /** The same function each time. */
  readonly load: () => Promise<ComponentType<P>>;
  readonly props: P;
}

/** A component that is fetched; a failure to do so is told, and may be tried again. */
export function Later<P extends object>({ load, props }: Props<P>) {
  const [tries, setTries] = useState(0);
  const [found, setFound] = useState<{ of: unknown; Found?: ComponentType<P>; error?: unknown }>();
  useEffect(() => {
    let gone = false;
    load().then(
      (Found) => {
        if (!gone) setFound({ of: load, Found });
      },
      async (error: unknown) => {
        // A server that was updated has the parts of another build: the page fetches that.
        if (gone || (await renewed().catch(() => false))) return;
        setFound({ of: load, error });
      },
    );
    return () => {
      gone = true;
    };
  }, [load, tries]);
  if (found?.of !== load)
    return (
      <p class="shell-wait" role="status">
        {say(LOADING)}
      </p>
    );
  const { Found, error } = found;
  if (Found === undefined)
    return (
      <Failure
        error={error}
        again={() => {
          // Some browsers do not fetch again what has failed before.
          if (tries > 0) window.location.reload();
          setFound(undefined);
          setTries(tries + 1);
        }}
      />
    );
  return (
    <Boundary key={load}>
      <Found {...props} />
    </Boundary>
  );
}

/** Keeps a page's mistake within the page. */
class Boundary extends Component<object, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidCatch(error: unknown) {
    console.error(error);
  }

  render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <Failure
        error={error}
        again={() => {
          this.setState({ error: undefined });
        }}
      />
    );
  }
}

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A modal dialog while it is there; Escape leaves it, and focus goes back to where it was. */
export function Dialog(props: {
  label: string;
  leave: () => void;
  children: ComponentChildren;
}) {
  const { label, leave, children } = props;
  const found = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    found.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={found}
      class="shell-dialog"
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        leave();
      }}
    >
      {children}
    </dialog>
  );
}

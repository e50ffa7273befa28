/** The page of one job. */
import { useState } from "preact/hooks";

import { Failure } from "../shell/failure";
import { address, route } from "../shell/route";
import { Announcement } from "./index";
import { Show, useJob } from "./show";

export function Page() {
  const id = route.value.rest[0] ?? "";
  return <One key={id} id={id} />;
}

function One({ id }: { id: string }) {
  const [error, setError] = useState<unknown>();
  useJob(id, setError);
  return (
    <>
      {error !== undefined && <Failure error={error} />}
      <Announcement />
      <Show
        id={id}
        heading="h1"
        onMade={(made) => {
          window.location.hash = address("job", made.id);
        }}
      />
    </>
  );
}

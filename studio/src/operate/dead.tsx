/** Jobs that failed or expired, and a way back for them. */
import { useCallback, useState } from "preact/hooks";

import type { Job } from "../api";
import { Confirm, type Question } from "../shell/confirm";
import { Failure } from "../shell/failure";
import { address } from "../shell/route";
import { say } from "../shell/words";
import { stateName, titleOf } from "../watch/describe";
import { deadLetters, revive } from "./api";
import { moment } from "./figures";
import { Pager, Table, useLook } from "./parts";

const WORDS = {
  none: { en: "No job has failed. Nothing waits here.", zh: "没有失败的任务。" },
  title: { en: "Dead letters", zh: "失败任务" },
  all: { en: "Choose all", zh: "全选" },
  choose: { en: "Choose {title}", zh: "选择 {title}" },
  what: { en: "Job", zh: "任务" },
  why: { en: "Why", zh: "原因" },
  when: { en: "Ended", zh: "结束时间" },
  model: { en: "Model", zh: "模型" },
  attempts: { en: "Attempts", zh: "尝试次数" },
  revive: { en: "Revive", zh: "恢复" },
  reviveOne: { en: "Revive {title}", zh: "恢复 {title}" },
  some: { en: "Revive {count} chosen", zh: "恢复选中的 {count} 个" },
  act: { en: "Revive {count} jobs", zh: "恢复 {count} 个任务" },
  actOne: { en: "Revive one job", zh: "恢复 1 个任务" },
  means: {
    en: "They go back to their queue with three more attempts each, from the stage at which they failed. Whoever asked for them sees them wait again.",
    zh: "它们将从失败的阶段重新排队，每个任务再获得三次尝试机会。提交者会看到任务重新进入排队。",
  },
};

const EVERY = 5_000;

export function Dead() {
  const [cursor, setCursor] = useState<string | null>(null);
  const look = useCallback((stop: AbortSignal) => deadLetters(cursor, stop), [cursor]);
  const { found, error, again } = useLook(look, EVERY);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [question, setQuestion] = useState<Question>();
  const items = found?.items ?? [];
  const ids = items.map((each) => each.id).filter((id) => chosen.has(id));
  const ask = (of: readonly string[]) => {
    setQuestion({
      act: of.length === 1 ? say(WORDS.actOne) : say(WORDS.act, { count: of.length }),
      means: say(WORDS.means),
      run: async () => {
        // One after the other: what fails is told, and the rest is still there to be chosen.
        for (const id of of) await revive(id);
      },
    });
  };
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  return (
    <div class="operate-wide">
      {error !== undefined && <Failure error={error} again={again} />}
      {found && items.length === 0 && <p role="status">{say(WORDS.none)}</p>}
      {items.length > 0 && (
        <>
          <div class="shell-row">
            <button
              type="button"
              class="shell-primary"
              disabled={ids.length === 0}
              onClick={() => {
                ask(ids);
              }}
            >
              {say(WORDS.some, { count: ids.length })}
            </button>
          </div>
          <Table
            label={say(WORDS.title)}
            heads={[
              <input
                key="all"
                type="checkbox"
                aria-label={say(WORDS.all)}
                checked={ids.length === items.length}
                onChange={(event) => {
                  const on = event.currentTarget.checked;
                  setChosen(new Set(on ? items.map((each) => each.id) : []));
                }}
              />,
              say(WORDS.what),
              say(WORDS.why),
              say(WORDS.model),
              say(WORDS.attempts),
              say(WORDS.when),
              null,
            ]}
          >
            {items.map((each) => (
              <Row
                key={each.id}
                job={each}
                chosen={chosen.has(each.id)}
                choose={(on) => {
                  choose(each.id, on);
                }}
                ask={() => {
                  ask([each.id]);
                }}
              />
            ))}
          </Table>
          <Pager cursor={cursor} next={found?.next_cursor} go={setCursor} />
        </>
      )}
      {question && (
        <Confirm
          of={question}
          leave={(done) => {
            setQuestion(undefined);
            if (done) setChosen(new Set());
            again();
          }}
        />
      )}
    </div>
  );
}

function Row(props: {
  job: Job;
  chosen: boolean;
  choose: (on: boolean) => void;
  ask: () => void;
}) {
  const { job } = props;
  const title = titleOf(job);
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={say(WORDS.choose, { title })}
          checked={props.chosen}
          onChange={(event) => {
            props.choose(event.currentTarget.checked);
          }}
        />
      </td>
      <th scope="row">
        <a href={address("job", job.id)}>{title}</a>
      </th>
      <td>
        <code>{job.error?.error_code ?? stateName(job.state)}</code>
        {job.error && <small class="operate-dim"> {job.error.detail}</small>}
      </td>
      <td>{job.model.name}</td>
      <td>{job.attempts}</td>
      <td>{moment(job.finished_at)}</td>
      <td>
        <button type="button" aria-label={say(WORDS.reviveOne, { title })} onClick={props.ask}>
          {say(WORDS.revive)}
        </button>
      </td>
    </tr>
  );
}

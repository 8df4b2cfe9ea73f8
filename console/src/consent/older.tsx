import { Failure } from '../api/call'

/** Whether a pack was refused because it is older than what was installed last. */
export function isOlder(error: unknown) {
  return error instanceof Failure && error.detail === 'ambit.v1.OlderVersion'
}

/** Offers to take an older version all the same. */
export function Older({ busy, onTake }: { busy: boolean; onTake: () => void }) {
  return (
    <div className="actions">
      <button type="button" className="danger" disabled={busy} onClick={onTake}>
        Take the older version
      </button>
      <span className="quiet">Only if you know why it is older: faults that were mended since are in it.</span>
    </div>
  )
}

import type { Choosing, PreparedWant } from '../api/types'
import { Code, plain, Text } from '../text'
import { Badge } from '../ui'

const choices: [Choosing, string][] = [
  ['CHOOSING_ALLOW', 'Allow'],
  ['CHOOSING_LATER', 'Later'],
  ['CHOOSING_DENY', 'Never'],
]

interface Props {
  risk: string
  wants: PreparedWant[]
  chosen: ReadonlyMap<string, Choosing>
  disabled: boolean
  onChoose: (w: PreparedWant, to: Choosing) => void
}

/** The capabilities of one risk, with a choice for each. */
export function Choices({ risk, wants, chosen, disabled, onChoose }: Props) {
  const broad = wants.some((w) => w.broad)
  return (
    <section className={broad ? 'risk broad' : 'risk'} aria-label={risk}>
      <h3>{risk}</h3>
      {wants.map((w) => (
        <fieldset key={w.capability} className="want" disabled={disabled}>
          <legend className="unseen">{plain(w.meaning || w.capability)}</legend>
          <div>
            <p>
              <span className="strong">
                <Text value={w.meaning || w.capability} />
              </span>{' '}
              {w.broad && <Badge tone="bad">broad</Badge>} {w.optional && <Badge>optional</Badge>}
            </p>
            <p className="quiet">
              <Code value={w.capability} />
              {w.reason ? (
                <>
                  {' because '}
                  <q>
                    <Text value={w.reason} />
                  </q>
                </>
              ) : (
                ', it does not say why'
              )}
            </p>
          </div>
          <div className="picks">
            {choices.map(([value, words]) => (
              <label key={value}>
                <input type="radio" name={w.capability} checked={(chosen.get(w.capability) ?? 'CHOOSING_LATER') === value} onChange={() => onChoose(w, value)} />
                {words}
              </label>
            ))}
          </div>
        </fieldset>
      ))}
    </section>
  )
}

import { useQuery } from '@tanstack/react-query'
import { pathOf, read, type Path } from '../api/file'
import { Text } from '../text'
import { State } from '../ui'

const mostShown = 256 * 1024 // bytes

/** The beginning of a file, as text: markup and escapes stay visible. */
export function FileText({ session, path }: { session: string; path: Path }) {
  const query = useQuery({
    queryKey: ['file', session, pathOf(path).rawPath],
    queryFn: async ({ signal }) => {
      const r = await read(session, path, mostShown, signal)
      return { ...r, text: await r.data.text() }
    },
    staleTime: 0,
  })
  const r = query.data
  return (
    <>
      <State query={query} what="the file" />
      {r?.changed && <p className="notice warn">It was changed while it was read.</p>}
      {r && r.text === '' && <p className="quiet">It is empty.</p>}
      {r && r.text !== '' && (
        <pre className="output" tabIndex={0} aria-label="Content">
          <Text value={r.text} layout />
        </pre>
      )}
      {r && r.size > mostShown && <p className="quiet">Only its beginning is shown.</p>}
    </>
  )
}

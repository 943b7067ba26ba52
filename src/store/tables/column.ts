import type { Generated } from 'kysely'

/**
 * The kind of a value. Instants are ms since 1970, UTC, so the time, zone and precision of a database do not matter; durations are ms.
 * A reference is the id of a row of another table, without a foreign key: audit entries outlive their user, and users are deleted in
 * chunks. A flag is 0 or 1, since SQLite and MySQL have no boolean. Lists and objects are JSON text.
 */
export type ColumnKind =
  | 'id'
  | 'reference'
  | 'uuid'
  | 'instant'
  | 'duration'
  | 'count'
  | 'flag'
  | 'text'
  | 'long text'
  | 'json'
  | 'long json'

/**
 * A column of a table (src/store/tables/). `Stored` is its type in a row, `Member` its type in `core/`: they differ for JSON.
 * `HasDefault`: an insert may leave it out.
 */
export interface Column<Stored = unknown, HasDefault extends boolean = boolean, Member = unknown> {
  readonly kind: ColumnKind
  /** In characters. MySQL enforces it; the others need no limit, since every text is checked before. */
  readonly maxLength?: number | undefined
  readonly isNullable: boolean
  readonly defaultValue?: number | string | undefined
  /** The schema version that added it; 1 is the first. */
  readonly addedIn: number
  /** Never set: carries the types. */
  readonly types?: { stored: Stored; hasDefault: HasDefault; member: Member }
}

interface RequiredColumn<Stored, Member> extends Column<Stored, false, Member> {
  orNull(): OptionalColumn<Stored | null, false, Member | null>
  default(value: Stored & (number | string)): OptionalColumn<Stored, true, Member>
}

/** Existing rows have a value for it, so an upgrade can add it. */
interface OptionalColumn<Stored, HasDefault extends boolean, Member> extends Column<Stored, HasDefault, Member> {
  /** @param version the schema version that adds it to existing databases: the latest one plus 1 */
  since(version: number): Column<Stored, HasDefault, Member>
}

function column<Stored, Member = Stored>(kind: ColumnKind, maxLength?: number): RequiredColumn<Stored, Member> {
  const definition = { kind, maxLength, isNullable: false, addedIn: 1 }
  return {
    ...definition,
    orNull: () => optional({ ...definition, isNullable: true }),
    default: (defaultValue) => optional({ ...definition, defaultValue }),
  }
}

function optional<Stored, HasDefault extends boolean, Member>(
  definition: Column<Stored, HasDefault, Member>,
): OptionalColumn<Stored, HasDefault, Member> {
  return { ...definition, since: (addedIn) => ({ ...definition, addedIn }) }
}

/** The primary key, assigned by the database. */
export const id = (): Column<number, true, number> => ({ kind: 'id', isNullable: false, addedIn: 1 })
export const reference = () => column<number>('reference')
export const uuid = () => column<string>('uuid', 36)
export const instant = () => column<number>('instant')
export const duration = () => column<number>('duration')
export const count = () => column<number>('count')
export const flag = () => column<number>('flag')
export const text = <T extends string = string>(maxLength: number) => column<T>('text', maxLength)
/** At most 16 MB. */
export const longText = () => column<string>('long text')
export const json = <T = unknown>(maxLength: number) => column<string, T>('json', maxLength)
export const longJson = <T = unknown>() => column<string, T>('long json')

/** The type that a database has for a kind. */
export const storageTypes: Readonly<Record<ColumnKind, 'integer' | 'text'>> = {
  id: 'integer',
  reference: 'integer',
  uuid: 'text',
  instant: 'integer',
  duration: 'integer',
  count: 'integer',
  flag: 'integer',
  text: 'text',
  'long text': 'text',
  json: 'text',
  'long json': 'text',
}

export type Columns = Readonly<Record<string, Column>>

/** The row of a table, as Kysely takes it. */
export type RowOf<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer Stored, infer HasDefault, infer _>
    ? HasDefault extends true
      ? Generated<Stored>
      : Stored
    : never
}

type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name

/** The same row as an object of `core/`: `expiry_at` is `expiryAt`, and JSON is parsed. */
export type MembersOf<C extends Columns> = {
  readonly [N in keyof C & string as CamelCase<N>]: C[N] extends Column<infer _, infer __, infer Member>
    ? Member
    : never
}

export const memberName = (columnName: string) =>
  columnName.replace(/_(.)/g, (_, initial: string) => initial.toUpperCase())

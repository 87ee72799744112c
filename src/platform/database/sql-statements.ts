/**
 * Cuts SQL into statements for a reviewer: without comments, with literals emptied, in single spaces. Dollar-quoted
 * bodies are kept as they are, for what is hidden in them is to be found too.
 */
export function statementsIn(sql: string): string[] {
  const statements: string[] = [];
  let text = '';
  for (let at = 0; at < sql.length;) {
    const token = tokenAt(sql, at);
    at += token.length;
    if (token === ';') {
      statements.push(text);
      text = '';
    } else text += shown(token);
  }
  return [...statements, text].map((one) => one.replace(/\s+/g, ' ').trim()).filter((one) => one !== '');
}

const TOKENS = [
  /--[^\n]*/y,
  /(?:[eE])'(?:[^'\\]|\\.|'')*'/sy,
  /'(?:[^']|'')*'/sy,
  /"(?:[^"]|"")*"/sy,
  /(\$[A-Za-z_]*\$)[\s\S]*?\1/y,
  /[A-Za-z0-9_]+/y,
];

function tokenAt(sql: string, at: number): string {
  if (sql.startsWith('/*', at)) return blockCommentAt(sql, at);
  for (const pattern of TOKENS) {
    pattern.lastIndex = at;
    const found = pattern.exec(sql);
    if (found) return found[0];
  }
  return sql.charAt(at);
}

/** Block comments nest in PostgreSQL. */
function blockCommentAt(sql: string, at: number): string {
  let depth = 0;
  for (let end = at; end < sql.length; end += 1) {
    if (sql.startsWith('/*', end)) depth += 1;
    else if (sql.startsWith('*/', end)) depth -= 1;
    else continue;
    end += 1;
    if (depth === 0) return sql.slice(at, end + 1);
  }
  return sql.slice(at);
}

function shown(token: string): string {
  if (token.startsWith('--') || token.startsWith('/*')) return ' ';
  if (/^[eE]?'/.test(token)) return "''";
  return token;
}

/** Brackets in brackets. Cedar's parser is known to break at 160, and with it everything that asks it afterwards. */
export const DEEPEST = 16;
/** Operators and clauses of one policy. Evaluating is known to break at 400 terms; a hundred were seen to do no harm. */
export const MOST_OPERATORS = 100;
export const LONGEST_POLICY = 4_000;

/** Strings and comments as Cedar reads them, and what else counts. */
const TOKEN =
  /"(?:\\[^]|[^"\\])*"?|\/\/[^\n\r]*|[([{]|[)\]}]|;|&&|\|\||[=!<>]=|[.+*<>!-]|\b(?:if|then|else|when|unless|in|is|has|like)\b/g;

/**
 * Looks at a text before Cedar does: a text that is nested too deeply runs over the stack of its WebAssembly, which from
 * then on decides nothing, for nobody. Says what is wrong, and from which character on; undefined where it may be read.
 */
export function tooIntricate(text: string): { readonly message: string; readonly at: number } | undefined {
  let [depth, operators, begun] = [0, 0, 0];
  for (const { 0: token, index: at } of text.matchAll(TOKEN)) {
    if (at - begun > LONGEST_POLICY) return tooLong(begun);
    if (token === ';') [depth, operators, begun] = [0, 0, at + 1];
    else if ('([{'.includes(token)) depth += 1;
    else if (')]}'.includes(token)) depth -= 1;
    else if (!token.startsWith('"') && !token.startsWith('//')) operators += 1;
    if (depth > DEEPEST) return { message: `brackets are nested more than ${DEEPEST} deep`, at };
    if (operators > MOST_OPERATORS)
      return { message: `a policy has more than ${MOST_OPERATORS} operators; make several of it`, at };
  }
  return text.length - begun > LONGEST_POLICY && text.slice(begun).trim().length > LONGEST_POLICY
    ? tooLong(begun)
    : undefined;
}

function tooLong(at: number): { message: string; at: number } {
  return { message: `a policy is longer than ${LONGEST_POLICY} characters; make several of it`, at };
}

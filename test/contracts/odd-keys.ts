/** Keys that some layer between us and the bucket may get wrong, by what is odd about them. */
export const oddKeys = {
  "signs of URLs": ["a b", "a+b", "a%2Fb", "a%b", "a?versionId=1", "a#b", "a&b=c", "a;b,c", "a:b@c", "~a!'()*", "a\\b"],
  "signs of XML": ["<a>", "&amp;", "&#x41;", "a'b\"c", "]]>", "<!--a-->"],
  "letters beyond ASCII": ["é", "e\u0301", "日本", "\u{1f600}", "\uff5e", "\u202eabc", "\u2028", "\u0085", "\u00a0"],
  "dots and slashes": ["../a", "a/../b", "a/./b", ".", "..", "a//b", "/a", "a/", "//"],
  blanks: [" a", "a ", " ", "a\tb"],
  "line breaks": ["a\nb", "a\rb", "a\r\nb", "\n", "a\n"],
  "characters that XML can't carry": ["a\u0001b", "\u001b[31m", "a\u0000b", "\ufffe", "\uffff"],
  "delete characters": ["a\u007fb"],
} as const;

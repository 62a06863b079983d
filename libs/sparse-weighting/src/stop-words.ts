/**
 * Stop words of languages for which no short list exists: particles, pronouns and copulas, like the short English list.
 * Question words (谁, どこ, 누구) and separate negations are not stop words.
 */
const words = (list: string): readonly string[] => list.split(' ');

export const CHINESE = words(
  '的 地 得 之 我的 你的 他的 她的 它的 他们的 我们的 你的 自己的 了 着 过 吗 呢 吧 啊 呀 嘛 啦 是 在 和 与 及 或 而 且 并 并且 以及 也 都 就 又 还 很 这 那 这个 那个 这些 那些 此 该 其 它 它们 他 他们 她 她们 我 我们 你 你们 您 于 对 对于 关于 从 由 把 被 让 给 以 为 为了 因为 所以 但 但是 如果 则 若 虽然 一个 一种 一些 个 等 中 里 上 下 所 使 有 会 可以 可 能 能够 要 将 已 已经 时',
);

export const JAPANESE = words(
  'の に は を た が で て と し れ さ ある いる も する から な こと として い や れる など なっ ない この その あの ため よう また もの という あり まで られ なる へ か だ これ それ あれ によって により おり より による ず なり られる において ば なかっ なく しかし について せ だっ その他 できる うち なお のみ です ます でし まし ました ませ ん',
);

export const KOREAN = words(
  '이 그 저 것 수 등 및 의 를 을 은 는 가 에 와 과 도 로 으로 에서 에게 한 하는 하고 하여 한다 합니다 있는 있다 있습니다 없는 되는 된다 됩니다 이다 입니다 그리고 그러나 또는 또한 때문에 대한 위한 위해 통해 이런 그런 이것 그것 나 너 우리 저희 그녀 그들',
);

export const THAI = words(
  'ที่ และ ใน ของ เป็น ได้ ให้ มี ว่า จะ กับ จาก โดย ไป มา นี้ นั้น ซึ่ง หรือ แต่ ก็ คือ เพื่อ แล้ว อยู่ ต้อง ด้วย การ ความ ผู้ อย่าง ถึง ถ้า เมื่อ ตาม ต่อ แก่ ยัง เขา เธอ เรา ฉัน ผม คุณ มัน อีก นะ ครับ ค่ะ',
);

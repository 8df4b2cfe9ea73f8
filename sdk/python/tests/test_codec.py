"""How messages are read and written."""

import datetime
import unittest

from ambit import codec, v1


class Codec(unittest.TestCase):
    def test_what_is_not_sent(self) -> None:
        q = codec.from_json(v1.Question, {})
        self.assertEqual((q.id, q.pid, q.argv, q.offers, q.asked), ("", 0, [], [], None))
        self.assertIsNone(codec.from_json(v1.Session, {}).exit)
        self.assertEqual(codec.from_json(v1.Session, {"exit": 0}).exit, 0)
        self.assertEqual(codec.to_json(v1.Session(exit=0)), {"exit": 0})
        self.assertEqual(codec.to_json(v1.Question()), {})

    def test_values_keep_what_they_are(self) -> None:
        most = (1 << 64) - 1
        self.assertEqual(codec.from_json(v1.Record, {"seq": str(most)}).seq, most)
        self.assertEqual(codec.to_json(v1.Record(seq=most)), {"seq": str(most)})
        data = bytes(range(256)) * 40
        sent = codec.to_json(v1.CreateSessionRequest(stdin=data))
        self.assertEqual(codec.from_json(v1.CreateSessionRequest, sent).stdin, data)
        for text, again in (
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100000Z"),
            ("2026-01-02T03:04:05.123456789+01:00", "2026-01-02T02:04:05.123456Z"),
        ):
            time = codec.from_json(v1.Record, {"time": text}).time
            self.assertEqual(codec.to_json(v1.Record(time=time)), {"time": again})
        with self.assertRaises(ValueError):
            codec.to_json(v1.Record(time=datetime.datetime(2026, 1, 2)))
        for lifetime, text in (
            (datetime.timedelta(seconds=90), "90.000000s"),
            (datetime.timedelta(seconds=-1.5), "-1.500000s"),
            (datetime.timedelta(), "0.000000s"),
        ):
            request = v1.AnswerQuestionRequest(lifetime=lifetime)
            self.assertEqual(codec.to_json(request), {"lifetime": text})
            self.assertEqual(codec.from_json(v1.AnswerQuestionRequest, {"lifetime": text}).lifetime, lifetime)

    def test_unknown_values_read_as_none(self) -> None:
        for sent, want in (("VERDICT_LATER", v1.Verdict.UNSPECIFIED), (2, v1.Verdict.UNSPECIFIED), ("VERDICT_DENY", v1.Verdict.DENY)):
            self.assertIs(codec.from_json(v1.AnswerQuestionRequest, {"verdict": sent}).verdict, want)

    def test_names_that_python_has_taken(self) -> None:
        request = v1.StreamRecordsRequest(from_=7)
        self.assertEqual(codec.to_json(request), {"from": "7"})
        self.assertEqual(codec.from_json(v1.StreamRecordsRequest, {"from": "7", "later": 1}), request)

    def test_one_of_several(self) -> None:
        change = codec.from_json(v1.WatchQuestionsResponse, {"over": "q"})
        self.assertEqual((change.put, change.over, change.caught_up), (None, "q", None))

    def test_malformed(self) -> None:
        for sent in (None, [], "x", 7, {"id": 7}, {"argv": "x"}, {"pid": "x"}, {"pid": True}, {"asked": "x"}, {"offers": [7]}):
            with self.assertRaises(codec.Malformed, msg=repr(sent)):
                codec.from_json(v1.Question, sent)
        for bad in ({"data": "%"}, {"next": "1.5"}):
            with self.assertRaises(codec.Malformed, msg=repr(bad)):
                codec.from_json(v1.StreamOutputResponse, bad)

    def test_binary(self) -> None:
        d = codec.from_binary(v1.Denial, bytes.fromhex("0a03642d31120166" + "1a080a01721203c3a478" + "1a020a00" + "280a" + "3201ff"))
        self.assertEqual((d.id, d.capability, [(r.rule, r.text) for r in d.reasons]), ("d-1", "f", [("r", "äx"), ("", "")]))
        for cut in ("0a", "0a05", "0a0561", "80", "ff" * 11, "0b"):
            with self.assertRaises(codec.Malformed, msg=cut):
                codec.from_binary(v1.Denial, bytes.fromhex(cut))


if __name__ == "__main__":
    unittest.main()

"""What crosses the pipe arrives as it was sent; what is no message is refused before anything is made of it."""

from __future__ import annotations

import io
import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from efficiency360.engine.wire import Message, WireError, receive, send

DTYPES = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=3)
)


NO_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 5000)
NO_TEXT = (rb'"\ud800"', rb'"\uDFFFx"', rb'"\ude00\ud83d"')


class Pipe:
    """Bytes in the order they were written; a read gives exactly as many as were asked for, or WireError."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)
        self.asked = 0

    def write(self, data: bytes | memoryview) -> None:
        self.buffer.write(data)

    def read(self, n: int) -> bytes:
        self.asked += n
        data = self.buffer.read(n)
        if len(data) < n:
            raise WireError("the other side closed the pipe")
        return data

    @property
    def content(self) -> bytes:
        return self.buffer.getvalue()


def sent(*messages: Message) -> bytes:
    pipe = Pipe()
    for message in messages:
        send(pipe.write, message)
    return pipe.content


def frame(header: object, payload: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + payload


def described(*arrays: Any) -> bytes:
    return frame({"kind": "evidence", "body": {}, "arrays": arrays}, b"\0" * 64)


def arrives(array: np.ndarray) -> np.ndarray:
    got = receive(Pipe(sent(Message("evidence", arrays={"x": array}))).read)
    return got.arrays["x"]


class TestRoundTrip:
    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
    def test_arrays_of_numbers_truth_values_and_text_arrive_as_they_are(self, array):
        got = arrives(array)
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        assert got.tobytes() == np.ascontiguousarray(array).tobytes()

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
            np.asfortranarray(np.arange(6).reshape(2, 3)),
            np.arange(10)[::-2],
            np.broadcast_to(np.float32(3), (2, 2)),
        ],
    )
    def test_the_layout_in_memory_does_not_matter(self, array):
        assert np.array_equal(arrives(array), array)

    def test_messages_arrive_one_after_the_other(self):
        first = Message("load", {"name": "ねこ", "list": [1, 2.5, None, True]}, {"a": np.arange(3)})
        pipe = Pipe(sent(first, Message("done"), Message("error", {"message": "x"})))
        got = receive(pipe.read)
        assert (got.kind, got.body) == (first.kind, first.body)
        assert got.arrays["a"].tolist() == [0, 1, 2]
        assert [receive(pipe.read).kind for _ in range(2)] == ["done", "error"]
        assert pipe.asked == len(pipe.content)

    def test_several_arrays_keep_their_names_and_order(self):
        arrays = {"b": np.arange(2), "a": np.zeros((0, 3)), "é": np.array("text")}
        got = receive(Pipe(sent(Message("evidence", arrays=arrays))).read).arrays
        assert list(got) == list(arrays)
        assert got["é"].item() == "text"


class TestSending:
    @pytest.mark.parametrize(
        "array", [np.array([{}, []], object), np.array([b"x"]), np.zeros(2, "i4,f4"), np.array(["2020"], "M8[D]")]
    )
    def test_an_array_of_anything_else_is_refused_before_a_byte_is_written(self, array):
        pipe = Pipe()
        with pytest.raises(TypeError, match=r"array 'x' of .* cannot be sent"):
            send(pipe.write, Message("evidence", arrays={"ok": np.arange(3), "x": array}))
        assert pipe.content == b""

    @pytest.mark.parametrize("order", "<>")
    def test_text_that_holds_half_characters_is_sent_without_them(self, order):
        text = np.array([["a\ud800b", "ねこ"], ["\udfff", "\U0010ffff"]]).astype(f"{order}U4")
        kept = text.copy()
        assert arrives(text).tolist() == [["a\ufffdb", "ねこ"], ["\ufffd", "\U0010ffff"]]
        assert text.tobytes() == kept.tobytes()
        assert arrives(np.array("\ud800")).item() == "\ufffd"

    def test_words_that_hold_half_characters_are_sent_without_them(self):
        message = Message("error", {"message": "a\ud800b", "\udfff": "😀"}, {"\ud800": np.arange(1)})
        got = receive(Pipe(sent(message)).read)
        assert got.body == {"message": "a?b", "?": "😀"}
        assert list(got.arrays) == ["?"]

    def test_numbers_that_are_none_are_not_sent(self):
        pipe = Pipe()
        with pytest.raises(ValueError, match="not JSON compliant"):
            send(pipe.write, Message("loaded", {"x": float("nan")}))
        assert pipe.content == b""


def nested(depth: int) -> bytes:
    """A message whose body holds lists in lists; the message and the body are two of the levels."""
    inner = b"[" * (depth - 2) + b"]" * (depth - 2)
    return b'{"kind": "done", "arrays": [], "body": {"x": ' + inner + b"}}"


class TestRefusals:
    @pytest.mark.parametrize(
        "dtype",
        [
            *(
                "|O",
                "O",
                "|S4",
                "<c8",
                "<M8[D]",
                "|V8",
                "V",
                "i4,f4",
                "(2,)f4",
                "(2,",
                "a",
                "",
                "f",
                "float",
                "<f3",
                "<U0",
                "<U01",
            ),
            *(None, 4, ["<f4"], {"names": ["a"], "formats": ["O"]}, "<U99999999999", "<f4\n"),
        ],
    )
    def test_a_type_that_is_no_plain_number_or_text_is_refused(self, dtype):
        with pytest.raises(WireError):
            receive(Pipe(described(["x", dtype, [1]])).read)

    @pytest.mark.parametrize(
        "shape",
        [
            *([-1], [2, -2], [1.0], [True], ["1"], [None], [[1]], 1, None, "11", [1] * 65, [0] * 65),
            *([float("inf")], [float("nan")], [10**400], [2**62, 0], [2**32, 2**32, 2**32, 0]),
        ],
    )
    def test_a_shape_that_is_none_is_refused(self, shape):
        with pytest.raises(WireError):
            receive(Pipe(described(["x", "<f4", shape])).read)

    @pytest.mark.parametrize(
        "arrays",
        [
            [["x", "<f4", [2**40]]],
            [["x", "<U100000000", [100]]],
            [[str(index), "<f8", [2**27]] for index in range(5)],
        ],
    )
    def test_a_huge_claim_is_refused_before_memory_is_asked_for(self, arrays):
        pipe = Pipe(described(*arrays))
        with pytest.raises(WireError):
            receive(pipe.read)
        assert pipe.asked < 1000

    def test_a_huge_header_is_refused_before_it_is_read(self):
        pipe = Pipe(struct.pack("<I", 2**32 - 1) + b"{")
        with pytest.raises(WireError, match="a header of 4294967295 bytes"):
            receive(pipe.read)
        assert pipe.asked == 4

    @pytest.mark.parametrize("arrays", [[["x", "<f4", [1]], ["x", "<f4", [2]]], [["x", "<f4"]], [[1, "<f4", [1]]]])
    def test_arrays_without_a_name_of_their_own_are_refused(self, arrays):
        with pytest.raises(WireError):
            receive(Pipe(described(*arrays)).read)

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"\xff\xfe",
            b"{",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"null",
            b"3",
            b'"kind"',
            b"[]",
            b"{}",
            b'{"kind": "x", "body": {}}',
            b'{"kind": 3, "body": {}, "arrays": []}',
            b'{"kind": "x", "body": [], "arrays": []}',
            b'{"kind": "x", "body": {}, "arrays": 3}',
            b'{"kind": "x", "body": {}, "arrays": {"x": 1}}',
            b'{"kind": "x", "body": {}, "arrays": ["xyz"]}',
            b'{"kind": "x", "body": {}, "arrays": []}',
            b'{"kind": "done\\ud800", "body": {}, "arrays": []}',
            *(b'{"kind": "done", "body": {"x": [%s]}, "arrays": []}' % number for number in NO_NUMBERS),
            *(b'{"kind": "done", "body": {"x": %s}, "arrays": []}' % text for text in NO_TEXT),
            *(b'{"kind": "done", "body": {%s: 1}, "arrays": []}' % text for text in NO_TEXT),
            *(b'{"kind": "done", "body": {}, "arrays": [[%s, "<f8", [0]]]}' % text for text in NO_TEXT),
            '{"kind": "done", "body": {}, "arrays": []}'.encode("utf-16"),
            nested(51),
            nested(900),
            pickle.dumps({"kind": "x", "body": {}, "arrays": []}),
        ],
    )
    def test_a_header_that_is_none_is_refused(self, header):
        with pytest.raises(WireError):
            receive(Pipe(frame(header)).read)

    def test_what_is_not_too_deep_and_whole_characters_arrive(self):
        assert receive(Pipe(frame(nested(50))).read).kind == "done"
        whole = b'{"kind": "done", "body": {"\\ud83d\\ude00": 1e300}, "arrays": []}'
        assert receive(Pipe(frame(whole)).read).body == {"😀": 1e300}

    def test_a_name_that_goes_on_and_on_is_refused(self):
        assert list(receive(Pipe(described(["x" * 200, "<f4", [1]])).read).arrays) == ["x" * 200]
        with pytest.raises(WireError, match="a name of 201 characters"):
            receive(Pipe(described(["x" * 201, "<f4", [1]])).read)

    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF])
    def test_text_of_something_else_than_characters_is_refused(self, order, code):
        header = {"kind": "evidence", "body": {}, "arrays": [["x", f"{order}U2", [1]]]}
        with pytest.raises(WireError, match="characters"):
            receive(Pipe(frame(header, struct.pack(f"{order}II", 0x61, code))).read)
        assert receive(Pipe(frame(header, struct.pack(f"{order}II", 0x61, 0xE000))).read).arrays["x"][0] == "a\ue000"

    def test_a_message_cut_short_anywhere_is_refused(self):
        whole = sent(Message("evidence", {"a": 1}, {"x": np.arange(3.0), "y": np.array(["ab"])}))
        assert receive(Pipe(whole).read).kind == "evidence"
        for length in range(len(whole)):
            with pytest.raises(WireError):
                receive(Pipe(whole[:length]).read)

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(st.data())
    def test_whatever_byte_breaks_the_answer_is_a_message_or_a_refusal(self, data):
        broken = bytearray(sent(Message("evidence", {"a": 1}, {"x": np.arange(3.0), "y": np.array(["ab"])})))
        for _ in range(data.draw(st.integers(1, 3))):
            broken[data.draw(st.integers(4, len(broken) - 1))] = data.draw(st.integers(0, 255))
        try:
            message = receive(Pipe(bytes(broken)).read)
        except WireError:
            return
        assert all(array.dtype.kind in "biufU" for array in message.arrays.values())

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.binary(max_size=60))
    def test_garbage_is_refused(self, content):
        with pytest.raises(WireError):
            receive(Pipe(content).read)

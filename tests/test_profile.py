"""Where the time goes: nodes of real engines by kind and layer, added up; none of it near a measured process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from profiler.analyse.profile_kinds import kind_of
from profiler.analyse.profiled import PhaseProfile, of_row
from profiler.analyse.report import report
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.events import Evaluated, SeenNode
from profiler.measure.launch import Seen, job, run_worker
from profiler.measure.profiling import between_ns, fastest_quarter, profile, units
from profiler.render import formats
from profiler.runfile import Case, Ceiling, Profile, Run, Workload, decode, read
from tests.bundles import content
from tests.conftest import Command, command, only_refusal
from tests.launching import BUILD
from tests.profiles import a_profile
from tests.run_builder import BOARD, MS, case, pp, rounds, run, text, tg
from tests.tiny_shapes import write_tiny

pytest.importorskip("llama_cpp")
pytest.importorskip("onnxruntime_genai")

CHAT = text(prompt=40, output=12)
AROUND = {"between", "sampling", "unexplained"}
FOLDER_OF_ONNX: dict[str, Any] = {"graph": "model.onnx", "via": "direct", "kv_type": "f32"}


def profiled(path: Path, engine: str, workload: Workload = CHAT, **facts: Any) -> tuple[Profile, Seen]:
    """A case profiled in a worker as a session does it, with one thread."""
    settings = {name: setting.default for name, setting in ENGINES[engine].settings.items()} | {"threads": 1}
    one = Case(id="r1", build="model", engine=engine, target="cpu", settings=settings, workload=workload)
    order = job(one, replace(BUILD, **facts), path, mode="profile", round_number=0, passes=1, seed=1)
    with TemporaryDirectory() as scratch:
        seen = run_worker(order | {"scratch": scratch}, workload, 60)
    assert seen.failure is None, seen.failure
    return profile("r1", seen.evaluated), seen


def analysed(found: Profile, **ceiling: Any) -> dict[str, PhaseProfile]:
    device = replace(BOARD, ceilings={"cpu": Ceiling(**ceiling)} if ceiling else {})
    row = of_row([found], device, case("r1", "model"), {})
    assert row is not None
    return {phase.phase: phase for phase in row.phases}


def members(phase: PhaseProfile) -> set[str]:
    """attention, attention/q, ..."""
    return {"/".join(filter(None, (one.kind, one.member))) for one in phase.spent if one.ms > 0}


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Path:
    """SmolLM2 as an ONNX folder."""
    folder = tmp_path_factory.mktemp("direct") / "onnx"
    subprocess.run(command("build", "onnx", smollm2, "-o", folder), check=True, capture_output=True)
    return folder


class TestRealEngines:
    @pytest.mark.alone
    @pytest.mark.parametrize("engine", ["llama-cpp", "ort", "ort-genai"])
    def test_at_least_95_per_cent_is_explained(self, engine: str, smollm2: Path, direct: Path) -> None:
        """Ratios within one process: neither depends on how fast the machine is."""
        path = smollm2 if engine == "llama-cpp" else direct
        found, _ = profiled(path, engine, **FOLDER_OF_ONNX)
        phases = analysed(found, bytes_per_s=1e12, macs_per_s=1e13)
        assert list(phases) == ["prefill", "decode"]
        for phase in phases.values():
            assert phase.explained >= 0.95, phase.phase
            assert phase.overhead is not None
            assert [layer.layer for layer in phase.layers] == list(range(30))
            whole = [one for one in phase.spent if one.member is None]
            assert sum(one.share for one in whole) == pytest.approx(1)
            assert {"attention", "feed_forward", "norm", "head", "embedding"} <= {one.kind for one in whole}
            assert max(whole, key=lambda one: one.ms).kind == "feed_forward"
            for one in phase.spent:
                assert (one.limit_share is None) is (one.kind in AROUND), (one.kind, one.member)
                assert one.limit_share is None or 0 <= one.limit_share < 1, (one.kind, one.member)

    def test_weights_and_multiply_adds_are_those_of_the_file(self, smollm2: Path) -> None:
        """30 layers of 576: q and output 576, k and v 192 rows; three matrices of 1536; a tied head of 49152."""
        (phase,) = profiled(smollm2, "llama-cpp", tg(4))[0].phases
        matrices = [part for part in phase.parts if part.read_bytes is not None]
        layer = 576 * (2 * 576 + 2 * 192 + 3 * 1536)
        assert sum(part.macs or 0 for part in matrices) == phase.evaluations * (30 * layer + 49152 * 576)
        of_layers = sum(part.read_bytes or 0 for part in matrices if part.part != "token_embd")
        assert of_layers == phase.evaluations * 30 * layer * 20 // 32
        (head,) = [part for part in matrices if part.part == "token_embd"]
        assert (head.op, head.layers) == ("MUL_MAT", [None])
        (scores,) = [part for part in phase.parts if part.op == "FLASH_ATTN_EXT"]
        seen = 30 * 9 * 2 * 64 * phase.evaluations
        assert seen <= (scores.macs or 0) <= 4 * seen, "9 heads of 64 see 1 to 4 keys and values"

    def test_onnx_counts_the_same_multiply_adds(self, direct: Path) -> None:
        (phase,) = profiled(direct, "ort", tg(4), **FOLDER_OF_ONNX)[0].phases
        products = [part for part in phase.parts if part.op == "MatMulNBits"]
        (scores,) = [part for part in phase.parts if part.op == "GroupQueryAttention"]
        seen = 30 * 9 * 2 * 64 * phase.evaluations
        assert seen <= (scores.macs or 0) <= 4 * seen, "9 heads of 64 see 1 to 4 keys and values"
        layer = 576 * (2 * 576 + 2 * 192 + 3 * 1536)
        assert sum(part.macs or 0 for part in products) == phase.evaluations * (30 * layer + 49152 * 576)
        assert all(part.read_bytes for part in products)
        stored = sum(file.stat().st_size for file in direct.glob("*.data"))
        assert all((part.memory_bytes or 0) > stored // 2 for part in phase.parts), "weights are in use"

    @pytest.mark.parametrize(
        ("workload", "phases"),
        [(pp(40), ["prefill"]), (tg(4), ["decode"]), (text(prompt=8, output=1), ["prefill"])],
    )
    def test_a_workload_has_the_phases_it_asks_for(
        self, smollm2: Path, workload: Workload, phases: list[str]
    ) -> None:
        assert [phase.phase for phase in profiled(smollm2, "llama-cpp", workload)[0].phases] == phases

    def test_a_long_prompt_is_one_unit_of_several_graphs(self, tmp_path: Path) -> None:
        write_tiny(tmp_path / "tiny.gguf", "llama", "Q8_0", 2)
        found, seen = profiled(tmp_path / "tiny.gguf", "llama-cpp", replace(pp(1100), depth=600))
        (phase,) = found.phases
        assert phase.tokens == 1100
        assert [one.tokens for one in seen.evaluated if one.watched and one.number == 1] == [512, 512, 76]


ATTENTION = {f"attention/{part}" for part in ("q", "k", "v", "output", "rope", "cache", "scores")}
DENSE = {"feed_forward/gate and up", "feed_forward/down", "feed_forward/activation"}
SPARSE = {"experts/router", "experts/gate and up", "experts/down", "experts/choice and sum"}
REST = {"norm", "head", "embedding"}


@pytest.mark.parametrize(
    ("architecture", "layers", "expected"),
    [
        ("llama", 2, ATTENTION | DENSE | REST),
        ("qwen2", 2, ATTENTION | DENSE | REST),
        ("qwen3", 2, ATTENTION | DENSE | REST),
        ("gemma3", 6, ATTENTION | DENSE | REST),
        (
            "phi3",
            2,
            ({"attention/qkv"} | ATTENTION | DENSE | REST) - {"attention/q", "attention/k", "attention/v"},
        ),
        ("llama4", 4, ATTENTION | DENSE | SPARSE | REST),
        ("mistral3", 2, ATTENTION | DENSE | REST),
        ("qwen3moe", 2, ATTENTION | SPARSE | REST),
        ("gpt-oss", 2, ATTENTION | SPARSE | REST),
        ("deepseek2", 4, (ATTENTION | DENSE | SPARSE | REST) - {"attention/v"}),
    ],
)
def test_nodes_of_every_architecture_have_their_kind(
    architecture: str, layers: int, expected: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny(path, architecture, "Q8_0", layers)
    found, _ = profiled(path, "llama-cpp")
    for phase in analysed(found).values():
        assert expected <= members(phase), phase.phase
        assert "other" not in members(phase)
        assert [layer.layer for layer in phase.layers] == list(range(layers))


def test_of_experts_a_token_reads_those_it_chose(tmp_path: Path) -> None:
    """2 of 16, whose matrices are 256 by 256 in Q8_0; how many a prompt chooses is not known."""
    write_tiny(tmp_path / "tiny.gguf", "qwen3moe", "Q8_0", 2)
    found, _ = profiled(tmp_path / "tiny.gguf", "llama-cpp")
    prompt, answer = found.phases
    downs = [next(p for p in phase.parts if p.part == "ffn_down_exps") for phase in (prompt, answer)]
    assert downs[0].read_bytes is None
    assert downs[1].read_bytes == answer.evaluations * 2 * 2 * 256 * 256 * 34 // 32
    assert downs[1].macs == answer.evaluations * 2 * 2 * 256 * 256


@pytest.mark.parametrize(
    ("op", "part", "kind"),
    [
        ("MatMul", "attn/q_proj/MatMul", ("attention", "q")),
        ("MatMul", "self_attn/o_proj/MatMul", ("attention", "output")),
        ("MatMulNBits", "attn/qkv_proj/MatMul_Q", ("attention", "qkv")),
        ("Softmax", "self_attn/Softmax", ("attention", "scores")),
        ("Mul", "self_attn/rotary_emb/Mul", ("attention", "rope")),
        ("GroupQueryAttention", "attn/GroupQueryAttention", ("attention", "scores")),
        ("MatMul", "mlp/gate_proj/MatMul", ("feed_forward", "gate and up")),
        ("MatMul", "mlp/down_proj/MatMul", ("feed_forward", "down")),
        ("Sigmoid", "mlp/act_fn/Sigmoid", ("feed_forward", "activation")),
        ("Pow", "input_layernorm/Pow", ("norm", None)),
        ("SkipSimplifiedLayerNormalization", "post_attention_layernorm/SkipLayerNorm", ("norm", None)),
        ("QMoE", "moe/QMoE", ("experts", "choice and sum")),
        ("MatMul", "lm_head/MatMul", ("head", None)),
        ("Gather", "embed_tokens/Gather", ("embedding", None)),
        ("MUL_MAT", "attn_qkv", ("attention", "qkv")),
        ("MUL_MAT", "kq", ("attention", "scores")),
        ("SOFT_MAX", "kq_soft_max", ("attention", "scores")),
        ("MUL", "attn_q_norm", ("norm", None)),
        ("GET_ROWS", "token_embd", ("embedding", None)),
        ("MUL_MAT", "token_embd", ("head", None)),
        ("MUL_MAT", "ffn_gate_inp", ("experts", "router")),
        ("Shape", "input_shape/Shape", ("other", None)),
        ("", "", ("other", None)),
    ],
)
def test_kinds_by_name(op: str, part: str, kind: tuple[str, str | None]) -> None:
    assert kind_of(op, part) == kind


def node(part: str, start: int, ns: int, layer: int | None = 0) -> SeenNode:
    return SeenNode("MUL_MAT", part, f"{part}-{layer}", layer, start, ns, 100, 200, "CPU", moved_bytes=150)


def token(number: int, ns: int, *nodes: SeenNode, watched: bool = True) -> Evaluated:
    graph = ns - 10 if watched else None
    return Evaluated(
        phase="decode", number=number, tokens=1, start_ns=0, ns=ns, watched=watched, graph_ns=graph, nodes=list(nodes)
    )  # fmt: skip


class TestAddingUp:
    def test_the_fastest_quarter_counts_and_no_warm_up(self) -> None:
        seen = [token(0, 10)] + [token(1, ns) for ns in (90, 70, 99, 80, 95)]
        kept = fastest_quarter(list(units("decode", seen, watched=True)))
        assert [unit.ns for unit in kept] == [70, 80]

    def test_a_phase(self) -> None:
        nodes = node("attn_q", 5, 20), node("attn_q", 30, 10, 1), node("output", 41, 9, None)
        seen = [token(1, 100, *nodes), token(1, 80, watched=False)]
        (phase,) = profile("r1", seen).phases
        assert (phase.wall_ns, phase.plain_ns, phase.graph_ns, phase.between_ns) == (100, 80, 90, 6)
        assert [(part.part, part.layers, part.ns, part.nodes) for part in phase.parts] == [
            ("attn_q", [0, 1], [20, 10], 2),
            ("output", [None], [9], 1),
        ]
        first = phase.parts[0]
        assert (first.read_bytes, first.macs, first.moved_bytes) == (200, 400, 300)
        found = analysed(Profile(case="r1", phases=[phase]))["decode"]
        assert found.overhead == 1.25
        assert found.explained == pytest.approx(1 - 45 / 94)
        shares = {one.kind: one.share for one in found.spent}
        assert shares["sampling"] == pytest.approx(10 / 94)
        assert (shares["between"], found.watch_ms) == (0, 6e-6)
        assert [layer.layer for layer in found.layers] == [0, 1]
        assert [layer.kinds["attention"] for layer in found.layers] == pytest.approx([2e-5, 1e-5])

    def test_of_the_time_between_operations_the_watch_has_what_it_took_longer(self) -> None:
        """Watched it took 4 ms longer, and 10 ms lay between operations."""
        (phase,) = a_profile(plain_ns=96 * MS, between_ns=10 * MS).phases
        found = analysed(Profile(case="r1", phases=[phase]))["decode"]
        (between,) = [one for one in found.spent if one.kind == "between"]
        assert (found.watch_ms, between.ms, between.limit_share) == (4, 6, None)
        assert between.share == pytest.approx(6 / 96)
        assert sum(one.share for one in found.spent if one.member is None) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("ceiling", "share", "by"),
        [
            ({"bytes_per_s": 4e9, "macs_per_s": 1e12}, 0.75, "memory"),
            ({"bytes_per_s": 1e12, "macs_per_s": 1e10}, 0.4, "compute"),
            ({"bytes_per_s": 4e9}, 0.75, "memory"),
            ({"macs_per_s": 1e10}, None, None),
            ({}, None, None),
        ],
    )
    def test_against_the_ceilings(
        self, ceiling: dict[str, float], share: float | None, by: str | None
    ) -> None:
        """50 ns for 150 bytes, 100 of them weights, and 200 multiply-adds."""
        seen = [token(1, 100, node("attn_q", 0, 50)), token(1, 80, watched=False)]
        q = next(one for one in analysed(profile("r1", seen), **ceiling)["decode"].spent if one.member == "q")
        assert (q.read_bytes_per_s, q.operations_per_s) == (2e9, 8e9)
        assert (q.limit_share, q.limited_by) == (pytest.approx(share) if share else None, by)

    def test_no_nodes_are_no_time(self) -> None:
        assert between_ns([]) == 0
        assert profile("r1", []).reason == "the workload has no token to profile"


def a_run(*profiles: Profile) -> Run:
    return replace(run([case("r1")], rounds("r1", [10.0] * 8)), profiles=list(profiles))


def with_line(line: dict[str, Any]) -> bytes:
    return content(run([case("r1")], rounds("r1", [10.0] * 8))) + json.dumps(line).encode() + b"\n"


class TestRunFile:
    def test_a_profile_is_kept(self) -> None:
        kept = decode("run.jsonl", with_line(msgspec.to_builtins(a_profile())))
        assert kept.profiles == [a_profile()]

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("phases", 0, "phase"), "loading"),
            (("phases", 0, "evaluations"), 0),
            (("phases", 0, "wall_ns"), 1),
            (("phases", 0, "between_ns"), 90 * MS),
            (("phases", 0, "parts", 0, "ns"), [-1]),
            (("phases", 0, "parts", 0, "ns"), [1, 2]),
            (("phases", 0, "parts", 0, "ns"), [2**63]),
            (("phases", 0, "parts", 0, "layers"), [512]),
            (("phases", 0, "parts", 0, "part"), "x" * 257),
            (("phases", 0, "parts"), [msgspec.to_builtins(a_profile().phases[0].parts[0])] * 2001),
            (("phases",), [msgspec.to_builtins(a_profile().phases[0])] * 2),
            (("reason",), "x" * 1001),
            (("more",), 1),
        ],
    )
    def test_a_line_that_nobody_wrote_is_refused(self, place: tuple[str | int, ...], value: object) -> None:
        line = msgspec.to_builtins(a_profile())
        part = line
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = value
        with pytest.raises(UserError, match="is not part of a run file"):
            decode("run.jsonl", with_line(line))

    @pytest.mark.parametrize("profiles", [[a_profile(), a_profile()], [replace(a_profile(), case="r9")]])
    def test_profiles_fit_the_plan(self, profiles: list[Profile]) -> None:
        with pytest.raises(UserError, match="it was altered"):
            report(a_run(*profiles))

    def test_nothing_took_any_time(self) -> None:
        none = a_profile(wall_ns=0, plain_ns=0, graph_ns=0, between_ns=0, parts=[])
        shown = formats.render(report(a_run(none)), "terminal")
        assert "Where the time goes: r1" in shown

    @pytest.mark.parametrize("name", ["terminal", "markdown", "html", "csv", "json"])
    def test_every_format_shows_it(self, name: str) -> None:
        if name == "html":
            pytest.importorskip("altair")
        found = report(a_run(a_profile()))
        shown = (
            json.dumps(json.loads(formats.render(found, "json"))) if name == "json" else _shown(found, name)
        )
        assert ("attention" in shown) is (name != "csv")

    @pytest.mark.parametrize(("plain_ms", "codes"), [(12, []), (14, ["profile_disturbed"])])
    def test_what_took_far_longer_than_in_the_rounds_was_disturbed(
        self, plain_ms: int, codes: list[str]
    ) -> None:
        """The rounds took 10 ms for a token."""
        (row,) = report(a_run(a_profile(plain_ns=plain_ms * MS))).rows
        assert [n.code for n in row.notices if n.code.startswith("profile")] == codes

    def test_why_there_is_none(self) -> None:
        shown = formats.render(report(a_run(Profile(case="r1", reason="it ran out of memory"))), "terminal")
        assert "not profiled: it ran out of memory; the figures stand without" in " ".join(shown.split())
        assert "Where the time goes" not in shown


def _shown(found: Any, name: str) -> str:
    if name != "html":
        return formats.render(found, name)
    from profiler.analyse.source import Source
    from profiler.render import html

    return html.render([Source(name="run.jsonl", report=found, run=a_run(a_profile()))])


SHORT = ("-p", "16", "-n", "6", "--processes", "1", "--passes", "1", "-t", "1")


class TestCommand:
    def test_a_run_with_profile_and_trace(self, edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
        done = edgeprof("run", smollm2, *SHORT, "--profile", "--trace", "t.json", "-o", "r.jsonl")
        assert done.code == 0, done.err
        assert "Where the time goes: r1" in done.out
        assert "explained" in done.out
        assert [one.case for one in read(tmp_path / "r.jsonl").profiles] == ["r1"]
        _holds_to_the_format(json.loads((tmp_path / "t.json").read_text()))

    def test_profiles_come_after_all_rounds_and_before_the_end(
        self, edgeprof: Command, smollm2: Path, tmp_path: Path
    ) -> None:
        done = edgeprof("run", smollm2, *SHORT, "--anchor", smollm2, "--profile", "-o", "r.jsonl")
        assert done.code == 0, done.err
        kinds = [json.loads(line)["type"] for line in (tmp_path / "r.jsonl").read_text().splitlines()]
        last_worker, end = len(kinds) - 1 - kinds[::-1].index("worker"), kinds.index("event")
        assert [n for n, kind in enumerate(kinds) if kind == "profile"] == [last_worker + 1]
        assert last_worker + 1 < end

    def test_an_engine_that_cannot(self, edgeprof: Command, script: Any) -> None:
        assert only_refusal(edgeprof("run", script(), "--profile")) == (
            "--profile: engine scripted does not tell the time of each operation (a script has no graph): "
            "use llama-cpp, ort-genai, ort, or leave --profile away"
        )

    def test_a_trace_needs_a_profile_and_a_free_name(
        self, edgeprof: Command, smollm2: Path, tmp_path: Path
    ) -> None:
        assert only_refusal(edgeprof("run", smollm2, "--trace", "t.json")) == (
            "--trace writes what --profile sees, and this run has no --profile"
        )
        (tmp_path / "t.json").write_text("mine")
        assert only_refusal(edgeprof("run", smollm2, "--profile", "--trace", "t.json")) == (
            "--trace t.json exists: choose another name"
        )


def _holds_to_the_format(trace: dict[str, Any]) -> None:
    """What Perfetto documents of its JSON: an array of events; complete ones have ts and dur in microseconds, and
    those of one thread lie within each other or apart."""
    events = trace["traceEvents"]
    assert events[0] == {
        "ph": "M", "pid": 1, "tid": 1, "name": "process_name", "args": {"name": events[0]["args"]["name"]},
    }  # fmt: skip
    complete = [event for event in events if event["ph"] == "X"]
    assert {"prefill", "decode"} <= {event["name"] for event in complete}
    assert {"attention", "feed_forward", "head"} <= {event["cat"] for event in complete}
    open_until: list[float] = []
    for event in sorted(complete, key=lambda e: (e["ts"], -e["dur"])):
        assert min(event["dur"], event["ts"]) >= 0
        assert isinstance(event["args"], dict)
        while open_until and open_until[-1] <= event["ts"]:
            open_until.pop()
        assert not open_until or event["ts"] + event["dur"] <= open_until[-1] + 1e-6
        open_until.append(event["ts"] + event["dur"])

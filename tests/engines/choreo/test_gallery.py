"""Twenty prompts in two languages, from text to clip: none fails a check, none slides."""

import pytest

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.quality import judge

GALLERY: list[tuple[str, float]] = [
    ("一个舞者旋转跳跃后单膝跪地", 5.0),
    ("a tired man walks in a circle, then waves twice", 6.0),
    ("挥手", 2.0),
    ("she runs forward, jumps high, and bows", 5.0),
    ("an angry man stomps and punches three times", 4.0),
    ("一个开心的女孩一边走一边挥手", 5.0),
    ("a robot turns left, marches and salutes", 5.0),
    ("慢慢蹲下，然后站起来举起双手欢呼", 5.0),
    ("the boxer kicks with the right leg, then dodges left", 4.0),
    ("坐下，喝水，然后站起来", 6.0),
    ("a sad old woman sits down and wipes her eyes", 5.0),
    ("他跑步，然后跌倒在地上", 5.0),
    ("a child skips in a zigzag and claps", 5.0),
    ("跳舞", 8.0),
    ("before sitting on the floor, he looks around nervously", 6.0),
    ("向后退两步，鞠躬，再敬礼", 5.0),
    ("a drunk man staggers, stumbles and lies down", 7.0),
    ("做三个深蹲，然后做开合跳", 6.0),
    ("she crawls forward, then kneels on both knees and prays", 7.0),
    ("单脚站立，然后侧手翻", 5.0),
]


@pytest.mark.parametrize(("prompt", "duration"), GALLERY, ids=[p for p, _ in GALLERY])
def test_a_prompt_of_the_gallery_is_a_sound_motion(prompt: str, duration: float) -> None:
    script = read(prompt)
    assert script.ignored == ()
    for seed in range(3):
        report = judge(play(script, duration, seed), idle_asked=False)
        assert report.verdict != "fail", [m for m in report.measures if m.verdict == "fail"]
        skating = report["skating"].value
        assert skating is not None
        assert skating < 0.05

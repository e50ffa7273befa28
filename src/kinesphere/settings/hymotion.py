"""HY-Motion: where its code and weights are, and how it is run."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from kinesphere.settings.parsing import in_words


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _service(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an address that begins with http:// or https://")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("has a query, a fragment or a password")
    return url.rstrip("/")


class HyMotionSettings(BaseModel):
    """Settings of `hymotion`. Without `hymotion_src` there is no such model."""

    hymotion_src: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="Checkout of the HY-Motion 1.0 repository, its Git LFS files fetched. Its "
        "licence forbids use in the EU, the UK and South Korea, so unset, and nothing of it is "
        "served. Set, hymotion is served, or those of hymotion and hymotion-lite that `models` "
        "names; each needs a device of its own.",
        json_schema_extra=in_words("a path") | {"shown": "none"},
    )
    hymotion_weights: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="Folder of the weights, laid out as the vendor says: tencent/HY-Motion-1.0, "
        "Qwen3-8B, clip-vit-large-patch14. Unset, ckpts in the checkout, where the vendor's own "
        "programs look.",
        json_schema_extra=in_words("a path") | {"shown": "ckpts in hymotion_src"},
    )
    hymotion_profile: Literal["bf16", "int8", "nf4", "encoder-cpu"] | None = Field(
        default=None,
        description="How the text encoder is kept: whole, quantised to 8 or 4 bits, or in main "
        "memory. A profile that is named is taken whatever is free. Unset, the first of them that "
        "fits the device.",
        json_schema_extra=in_words("bf16, int8, nf4, encoder-cpu"),
    )
    hymotion_precision: Literal["fp32", "tf32", "bf16"] = Field(
        default="tf32",
        description="Precision of the sampler's matrix products; its weights are float32 in any "
        "case. tf32, because it is what the products of such networks are usually computed in; "
        "fp32 to compare results with another machine's.",
        json_schema_extra=in_words("fp32, tf32, bf16"),
    )
    hymotion_compile: bool = Field(
        default=False,
        description="Whether torch compiles the sampler while a replica warms up. Off, because it "
        "makes a start minutes longer, and again for each size of batch.",
        json_schema_extra=in_words("true, false"),
    )
    hymotion_batch_limit: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Most prompts in one pass. 8, so that the first of a batch does not wait long "
        "for the others; what does not fit in memory is halved.",
    )
    hymotion_steps: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Steps of the sampler. Unset, those of the model's config.yml, which is 50.",
        json_schema_extra=in_words("1 to 1,000"),
    )
    hymotion_guidance: float | None = Field(
        default=None,
        ge=0.0,
        le=20.0,
        description="Scale of classifier-free guidance. Up to 1 there is none, which halves the "
        "work. Unset, that of the model's config.yml, which is 5.",
        json_schema_extra=in_words("0 to 20"),
    )
    hymotion_text_cache_bytes: int = Field(
        default=268_435_456,
        ge=0,
        le=68_719_476_736,
        description="Main memory in bytes for encoded prompts of a replica. 256 MiB is about 250 "
        "prompts, each a megabyte.",
    )
    hymotion_rewriter_url: Annotated[str | None, AfterValidator(_service)] = Field(
        default=None,
        description="Base address, such as http://rewriter:8000/v1, of an OpenAI-compatible "
        "service of the vendor's prompt rewriter. Set, jobs pass through a stage of their own "
        "that puts prompts of any language into the model's English. Unset, there is none: prompts "
        "are not sent to a service that nobody named.",
        json_schema_extra=in_words("an http:// or https:// address without query or password"),
    )
    hymotion_rewriter_model: str = Field(
        default="Text2MotionPrompter",
        min_length=1,
        max_length=200,
        description="Name of the model that the rewriter is asked for. The default is the "
        "published model's own.",
        json_schema_extra=in_words("a name"),
    )
    hymotion_rewriter_key_file: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="File with the rewriter's API key. A file, because the key must reach a "
        "process that is given none of our environment. Unset, no key is sent.",
        json_schema_extra=in_words("a path"),
    )
    hymotion_rewriter_seconds: float = Field(
        default=20.0,
        ge=0.1,
        le=300.0,
        description="Seconds that rewriting one prompt may take, its tries together; then the "
        "caller's own words are used. 20 is a few answers of a 30-billion-parameter model.",
    )
    hymotion_rewriter_attempts: int = Field(
        default=3,
        ge=1,
        le=20,
        description="Most tries for one prompt, within those seconds. 3, because an answer that is "
        "no JSON is rarely followed by three more.",
    )

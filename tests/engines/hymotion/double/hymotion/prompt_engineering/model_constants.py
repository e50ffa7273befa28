"""The question that the rewriter is asked."""

REWRITE_AND_INFER_TIME_PROMPT_FORMAT = """Say it in English, with the frames it takes:
{{"duration": 90, "short_caption": "A person walks."}}
{}
"""

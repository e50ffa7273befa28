"""Quality: what any motion is judged by, as pure functions over a clip.

| measure | unit | warns beyond | fails beyond | of |
| --- | --- | --- | --- | --- |
| integrity | | | 0 | wrong shapes, under two frames, numbers not finite |
| rotations | | 0.0001 | 0.01 | deviation from an orthonormal matrix of determinant 1 |
| bone_length | % | 0.1 | 1 | drift of a bone's length |
| penetration | m | 0.01 | | depth of the lowest joint under the ground |
| penetration_deep | | | 0.05 | share of frames deeper than 5 cm |
| skating | | 0.1 | | share of frames in which a foot slides |
| skating_upright | | | 0.3 | the same, in neither a spin nor a slide near the ground |
| float | s | 0.8 | 1.2 | longest time in the air that gravity does not explain |
| jerk_mean | m/s³ | 1200 | 3000 | mean jerk over joints and frames |
| jerk_p99 | m/s³ | 9000 | 20000 | its 99th percentile |
| acceleration | m/s² | 300 | 600 | largest acceleration of a joint |
| root_speed | m/s | 8 | 12 | largest speed of the root |
| rotation_step | ° | 45 | 90 | largest turn of a joint in a frame |
| pose_jump | m | | 0.25 | largest step of a joint over 8 times the median step |
| static | m | 0.05 | 0.01 | range of the most mobile joint; small is bad, unless asked for |
| limit_hip, limit_knee, limit_ankle, limit_shoulder, limit_elbow, limit_wrist, limit_neck, \
limit_trunk | ° | 10 | 25 | most degrees beyond the joint's range |
| limit_share | | | 0.05 | share of frames in which one joint is over 10° beyond |

Shares run from 0 to 1. Where the thresholds come from is in each measure's `source`.
"""

from kinesphere.quality.judgement import judge
from kinesphere.quality.report import LeftOut, Measure, Report, Verdict

__all__ = ["LeftOut", "Measure", "Report", "Verdict", "judge"]

// Plays a live stream of Kinesphere on a humanoid: put it beside the Animator of a character.
//
// The stream is described in docs/live.md. Nothing but .NET's own WebSocket and Unity is needed.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using UnityEngine;

[RequireComponent(typeof(Animator))]
public class KinesphereLive : MonoBehaviour
{
    [Tooltip("Address of the server, http:// or https://.")]
    public string server = "http://127.0.0.1:8000";

    [Tooltip("The job whose motion is played.")]
    public string jobId = "";

    [Tooltip("An API key, where the server asks for one. Do not ship it in a build.")]
    public string apiKey = "";

    [Tooltip("Begin again after the last frame.")]
    public bool loop = true;

    [Tooltip("Move the character through the scene, or keep it in its place.")]
    public bool travel = true;

    // One message of the stream: the fields of all types, as JsonUtility wants them.
    [Serializable]
    class Message
    {
        public string type = "";
        public string[] names = null;
        public int[] parents = null;
        public float height = 1f;
        public float[] root = null;
        public float[] turns = null;
        public float time = 0f;
        public Problem problem = null;
    }

    [Serializable]
    class Problem
    {
        public string error_code = "";
        public string detail = "";
    }

    [Serializable]
    class Command
    {
        public string type = "";
        public float time = 0f;
        public float value = 1f;
        public bool on = false;
        public string prompt = "";
        public float duration = 4f;
    }

    // A bone of the character that one of the stream's joints turns.
    struct Driven
    {
        public int joint;
        public Transform bone;
        public Quaternion rest; // In the T-pose, as seen from the character.
    }

    static readonly Dictionary<string, HumanBodyBones> Bones = new Dictionary<string, HumanBodyBones>
    {
        { "Pelvis", HumanBodyBones.Hips },
        { "Spine1", HumanBodyBones.Spine },
        { "Spine2", HumanBodyBones.Chest },
        { "Spine3", HumanBodyBones.UpperChest },
        { "Neck", HumanBodyBones.Neck },
        { "Head", HumanBodyBones.Head },
        { "L_Hip", HumanBodyBones.LeftUpperLeg },
        { "L_Knee", HumanBodyBones.LeftLowerLeg },
        { "L_Ankle", HumanBodyBones.LeftFoot },
        { "L_Foot", HumanBodyBones.LeftToes },
        { "R_Hip", HumanBodyBones.RightUpperLeg },
        { "R_Knee", HumanBodyBones.RightLowerLeg },
        { "R_Ankle", HumanBodyBones.RightFoot },
        { "R_Foot", HumanBodyBones.RightToes },
        { "L_Collar", HumanBodyBones.LeftShoulder },
        { "L_Shoulder", HumanBodyBones.LeftUpperArm },
        { "L_Elbow", HumanBodyBones.LeftLowerArm },
        { "L_Wrist", HumanBodyBones.LeftHand },
        { "R_Collar", HumanBodyBones.RightShoulder },
        { "R_Shoulder", HumanBodyBones.RightUpperArm },
        { "R_Elbow", HumanBodyBones.RightLowerArm },
        { "R_Wrist", HumanBodyBones.RightHand },
    };

    readonly ConcurrentQueue<Message> heard = new ConcurrentQueue<Message>();
    readonly ConcurrentQueue<string> toSay = new ConcurrentQueue<string>();
    readonly SemaphoreSlim saying = new SemaphoreSlim(0);
    readonly List<Driven> driven = new List<Driven>();
    CancellationTokenSource ends;
    Animator animator;
    int[] parents = new int[0];
    Quaternion[] turned = new Quaternion[0];
    float scale = 1f;

    /// <summary>Go on.</summary>
    public void Play() { Say(new Command { type = "play" }, "type"); }

    /// <summary>Stop at the frame that was shown last.</summary>
    public void Pause() { Say(new Command { type = "pause" }, "type"); }

    /// <summary>Show a time of the film, in seconds.</summary>
    public void Seek(float seconds)
    {
        Say(new Command { type = "seek", time = seconds }, "type", "time");
    }

    /// <summary>Let the motion of a prompt follow.</summary>
    public void Next(string prompt, float seconds)
    {
        var command = new Command { type = "next", prompt = prompt, duration = seconds };
        Say(command, "type", "prompt", "duration");
    }

    void OnEnable()
    {
        animator = GetComponent<Animator>();
        // Whoever else turns the bones would turn them back.
        animator.enabled = false;
        ends = new CancellationTokenSource();
        if (loop) Say(new Command { type = "loop", on = true }, "type", "on");
        _ = Listen(ends.Token);
    }

    void OnDisable()
    {
        ends.Cancel();
    }

    void LateUpdate()
    {
        Message shown = null;
        Message message;
        while (heard.TryDequeue(out message))
        {
            if (message.type == "skeleton") Meet(message);
            else if (message.type == "frame") shown = message;
            else if (message.type == "problem")
                Debug.LogWarning("Kinesphere: " + message.problem.error_code + ": " + message.problem.detail);
        }
        // Of several that came since the last picture, the last is the one to see.
        if (shown != null && driven.Count > 0) Show(shown);
    }

    // Learn which joint turns which bone, and how each bone rests in the T-pose.
    void Meet(Message skeleton)
    {
        driven.Clear();
        parents = skeleton.parents;
        turned = new Quaternion[parents.Length];
        var rest = RestOfAvatar();
        for (int joint = 0; joint < skeleton.names.Length; joint++)
        {
            HumanBodyBones name;
            if (!Bones.TryGetValue(skeleton.names[joint], out name)) continue;
            Transform bone = animator.GetBoneTransform(name);
            if (bone == null) continue;
            driven.Add(new Driven { joint = joint, bone = bone, rest = RestSeenFromCharacter(bone, rest) });
        }
        Transform hips = animator.GetBoneTransform(HumanBodyBones.Hips);
        // Long legs make long steps.
        scale = Mathf.Max(transform.InverseTransformPoint(hips.position).y, 0.1f) / skeleton.height;
    }

    // Local rotations of the T-pose that the avatar was configured in, by the bones' names.
    Dictionary<string, Quaternion> RestOfAvatar()
    {
        var rest = new Dictionary<string, Quaternion>();
        foreach (SkeletonBone bone in animator.avatar.humanDescription.skeleton)
            rest[bone.name] = bone.rotation;
        return rest;
    }

    Quaternion RestSeenFromCharacter(Transform bone, Dictionary<string, Quaternion> rest)
    {
        Quaternion whole = Quaternion.identity;
        for (Transform at = bone; at != null && at != transform; at = at.parent)
        {
            Quaternion local;
            whole = (rest.TryGetValue(at.name, out local) ? local : at.localRotation) * whole;
        }
        return whole;
    }

    void Show(Message frame)
    {
        for (int joint = 0; joint < turned.Length; joint++)
        {
            Quaternion local = Turn(frame.turns, joint);
            turned[joint] = parents[joint] < 0 ? local : turned[parents[joint]] * local;
        }
        // The stream's bones have no rotation in the T-pose, so theirs is how far ours turns from it.
        foreach (Driven each in driven)
            each.bone.rotation = transform.rotation * turned[each.joint] * each.rest;
        Travel(frame.root);
    }

    void Travel(float[] root)
    {
        Transform hips = animator.GetBoneTransform(HumanBodyBones.Hips);
        Vector3 place = new Vector3(-root[0], root[1], root[2]) * scale;
        if (!travel) place = new Vector3(0f, place.y, 0f);
        hips.position = transform.TransformPoint(place);
    }

    // The stream is right-handed, Unity left-handed: x is mirrored.
    static Quaternion Turn(float[] turns, int joint)
    {
        int at = 4 * joint;
        return new Quaternion(turns[at], -turns[at + 1], -turns[at + 2], turns[at + 3]);
    }

    // JsonUtility writes all fields, and the server refuses those that a message does not have.
    void Say(Command command, params string[] fields)
    {
        var parts = new List<string>();
        foreach (string field in fields)
        {
            if (field == "type") parts.Add("\"type\":" + Quoted(command.type));
            else if (field == "prompt") parts.Add("\"prompt\":" + Quoted(command.prompt));
            else if (field == "on") parts.Add("\"on\":" + (command.on ? "true" : "false"));
            else
            {
                float number = field == "time" ? command.time : command.duration;
                var plain = System.Globalization.CultureInfo.InvariantCulture;
                parts.Add("\"" + field + "\":" + number.ToString("R", plain));
            }
        }
        toSay.Enqueue("{" + string.Join(",", parts.ToArray()) + "}");
        saying.Release();
    }

    static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char each in text)
        {
            if (each == '"' || each == '\\' || each < ' ')
                quoted.Append("\\u").Append(((int)each).ToString("x4"));
            else quoted.Append(each);
        }
        return quoted.Append('"').ToString();
    }

    async Task Listen(CancellationToken end)
    {
        var wait = TimeSpan.FromSeconds(1);
        while (!end.IsCancellationRequested)
        {
            try
            {
                using (var socket = new ClientWebSocket())
                {
                    await Stream(socket, end);
                }
                return;
            }
            catch (OperationCanceledException) { return; }
            catch (WebSocketException error)
            {
                Debug.LogWarning("Kinesphere: " + error.Message + "; trying again");
            }
            try { await Task.Delay(wait, end); }
            catch (OperationCanceledException) { return; }
        }
    }

    async Task Stream(ClientWebSocket socket, CancellationToken end)
    {
        socket.Options.AddSubProtocol("kinesphere.live.v1");
        if (apiKey != "") socket.Options.SetRequestHeader("Authorization", "Bearer " + apiKey);
        string address = server.TrimEnd('/') + "/v1/live/" + jobId;
        var uri = new Uri("ws" + address.Substring("http".Length));
        await socket.ConnectAsync(uri, end);
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(end))
        {
            _ = Speak(socket, over.Token);
            try { await Hear(socket, end); }
            finally { over.Cancel(); }
        }
    }

    async Task Hear(ClientWebSocket socket, CancellationToken end)
    {
        var buffer = new ArraySegment<byte>(new byte[16384]);
        using (var whole = new MemoryStream())
        {
            while (true)
            {
                WebSocketReceiveResult part = await socket.ReceiveAsync(buffer, end);
                if (part.MessageType == WebSocketMessageType.Close) return;
                whole.Write(buffer.Array, 0, part.Count);
                if (!part.EndOfMessage) continue;
                string text = Encoding.UTF8.GetString(whole.ToArray());
                whole.SetLength(0);
                heard.Enqueue(JsonUtility.FromJson<Message>(text));
            }
        }
    }

    async Task Speak(ClientWebSocket socket, CancellationToken end)
    {
        while (socket.State == WebSocketState.Open)
        {
            await saying.WaitAsync(end);
            string text;
            if (!toSay.TryDequeue(out text)) continue;
            var bytes = new ArraySegment<byte>(Encoding.UTF8.GetBytes(text));
            await socket.SendAsync(bytes, WebSocketMessageType.Text, true, end);
        }
    }
}

// What the sample for Unity uses of Unity, by shape alone, so that a compiler can judge it.
using System;

namespace UnityEngine
{
    public class Object { }
    public class Component : Object
    {
        public Transform transform;
        public T GetComponent<T>() { return default(T); }
    }
    public class Behaviour : Component { public bool enabled; }
    public class MonoBehaviour : Behaviour { }
    public class Transform : Component
    {
        public string name;
        public Transform parent;
        public Vector3 position;
        public Quaternion rotation;
        public Quaternion localRotation;
        public Vector3 TransformPoint(Vector3 point) { return point; }
        public Vector3 InverseTransformPoint(Vector3 point) { return point; }
    }
    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
        public static Vector3 operator *(Vector3 one, float by) { return one; }
    }
    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x; this.y = y; this.z = z; this.w = w;
        }
        public static Quaternion identity { get { return new Quaternion(0, 0, 0, 1); } }
        public static Quaternion operator *(Quaternion one, Quaternion other) { return one; }
    }
    public static class Mathf { public static float Max(float a, float b) { return a; } }
    public static class Debug { public static void LogWarning(object text) { } }
    public static class JsonUtility { public static T FromJson<T>(string text) { return default(T); } }
    public class Avatar : Object { public HumanDescription humanDescription; }
    public struct HumanDescription { public SkeletonBone[] skeleton; }
    public struct SkeletonBone { public string name; public Quaternion rotation; }
    public class Animator : Behaviour
    {
        public Avatar avatar;
        public Transform GetBoneTransform(HumanBodyBones bone) { return null; }
    }
    [AttributeUsage(AttributeTargets.Class)]
    public class RequireComponent : Attribute { public RequireComponent(Type type) { } }
    [AttributeUsage(AttributeTargets.Field)]
    public class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }
    public enum HumanBodyBones
    {
        Hips, LeftUpperLeg, RightUpperLeg, LeftLowerLeg, RightLowerLeg, LeftFoot, RightFoot,
        Spine, Chest, UpperChest, Neck, Head, LeftShoulder, RightShoulder, LeftUpperArm,
        RightUpperArm, LeftLowerArm, RightLowerArm, LeftHand, RightHand, LeftToes, RightToes
    }
}

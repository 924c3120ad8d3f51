using System.Text;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>
/// Containers have no file system of their own, so wherever a text names a mount path, at the borders of a path, it is
/// given the directory of this machine instead. The longest mount path wins.
/// </summary>
internal sealed class MountPaths(IEnumerable<KeyValuePair<string, string>> mounts)
{
    private readonly KeyValuePair<string, string>[] _mounts = mounts
        .Select(m => KeyValuePair.Create(m.Key.Length > 1 ? m.Key.TrimEnd('/') : m.Key, m.Value))
        .OrderByDescending(m => m.Key.Length).ToArray();

    public string Replace(string text)
    {
        if (_mounts.Length == 0 || !text.Contains('/'))
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 64);
        for (var i = 0; i < text.Length;)
        {
            if (text[i] == '/' && MayStart(text, i) && Match(text, i) is { } mount)
            {
                result.Append(mount.Value);
                i += mount.Key.Length;
            }
            else
            {
                result.Append(text[i++]);
            }
        }

        return result.ToString();
    }

    private KeyValuePair<string, string>? Match(string text, int at)
    {
        foreach (var mount in _mounts)
        {
            if (string.CompareOrdinal(text, at, mount.Key, 0, mount.Key.Length) == 0
                && (at + mount.Key.Length == text.Length || !IsNameChar(text[at + mount.Key.Length])))
            {
                return mount;
            }
        }

        return null;
    }

    // "/a/shared" does not name the mount "/shared", but "unix:///shared/socket" does.
    private static bool MayStart(string text, int at) =>
        at == 0
        || (!IsNameChar(text[at - 1]) && text[at - 1] != '/')
        || (at >= 3 && text.AsSpan(at - 3, 3) is "://");

    private static bool IsNameChar(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '.';
}

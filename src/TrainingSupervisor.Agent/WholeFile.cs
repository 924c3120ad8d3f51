namespace TrainingSupervisor.Agent;

/// <summary>Files that others read: whole, or as they were before.</summary>
internal static class WholeFile
{
    internal static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var temporary = path + ".new";
        File.WriteAllBytes(temporary, bytes);
        File.Move(temporary, path, overwrite: true);
    }
}

using System.Globalization;

namespace TrainingSupervisor.Agent.State;

/// <summary>The highest term and attempt obeyed in this Pod, kept where a restart in place does not wipe it.</summary>
internal static class StateFile
{
    private static string In(string directory) => Path.Combine(directory, ".agent-state");

    internal static (long Term, int Attempt) Load(string directory)
    {
        var path = In(directory);
        if (!File.Exists(path))
            return (0, 0);
        var parts = File.ReadAllText(path).Split(' ', StringSplitOptions.TrimEntries);
        if (parts is [var t, var a]
            && long.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out var term)
            && int.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out var attempt))
            return (term, attempt);
        Log.Write($"{path} is not readable; starting as in a new Pod");
        return (0, 0);
    }

    internal static void Save(string directory, long term, int attempt)
    {
        var path = In(directory);
        File.WriteAllText(path + ".new", string.Create(CultureInfo.InvariantCulture, $"{term} {attempt}\n"));
        File.Move(path + ".new", path, overwrite: true);
    }
}

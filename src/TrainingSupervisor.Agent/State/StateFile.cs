using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Agent.State;

/// <summary>
/// The highest term and attempt obeyed in this Pod, kept where a restart in place does not wipe it. Best effort: with a full or broken
/// disk the agent goes on with what it remembers, and only a new agent process in this Pod would not know what has been obeyed.
/// </summary>
internal sealed class StateFile(string directory)
{
    private const string Subject = "state file";
    private readonly string _path = Path.Combine(directory, ".agent-state");

    internal (long Term, int Attempt) Load()
    {
        try
        {
            if (!File.Exists(_path))
                return (0, 0);
            var parts = File.ReadAllText(_path).Split(' ', StringSplitOptions.TrimEntries);
            if (parts is [var t, var a]
                && long.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out var term)
                && int.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out var attempt))
                return (term, attempt);
            Log.Write($"{_path} is not readable; starting as in a new Pod");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Write($"{_path} is not readable ({e.Message}); starting as in a new Pod");
        }

        return (0, 0);
    }

    internal void Save(long term, int attempt)
    {
        try
        {
            WholeFile.Write(_path, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{term} {attempt}\n")));
            Log.WriteOver(Subject, $"{_path} is written again");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.WriteOnce(Subject, $"what has been obeyed cannot be kept for a restart in place: {e.Message}; going on without");
        }
    }
}

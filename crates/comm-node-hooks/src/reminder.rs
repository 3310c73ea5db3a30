//! The orchestrator's reminder: whoever asks for work is reminded, in a few tokens, that it is planned and delegated.
//! Off unless the node or the user turns it on.

use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::Session;

use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// What is said.
const REMINDER: &str = "comm-node: plan it, write a short brief with done criteria, delegate to role agents; do small things yourself.";
/// So many bytes of a prompt are looked at.
const LOOKED: usize = 4096;

/// Words that ask for work, in the languages that people write. A stem ends with `*`.
const VERBS: &[&str] = &[
    // English
    "implement*",
    "fix",
    "fixes",
    "refactor*",
    "add",
    "migrate*",
    "build",
    "create",
    "write",
    "rewrite",
    "remove",
    "delete",
    "rename",
    "update",
    "upgrade",
    "port",
    "replace",
    "extend",
    "integrate",
    "optimize*",
    "optimise*",
    // German
    "implementier*",
    "behebe*",
    "repariere*",
    "refaktorier*",
    "ergänze*",
    "füge",
    "baue",
    "schreibe",
    "erstelle*",
    "entferne*",
    "lösche",
    "migriere*",
    "ersetze*",
    "korrigiere*",
    // French
    "implémente*",
    "corrige*",
    "ajoute*",
    "migre*",
    "crée*",
    "écris",
    "supprime*",
    "remplace*",
    "refactorise*",
    // Spanish, Portuguese, Italian
    "implementa*",
    "arregla*",
    "corrige*",
    "añade*",
    "agrega*",
    "migra*",
    "crea",
    "crear",
    "escribe",
    "elimina*",
    "refactoriza*",
    "adiciona*",
    "conserta*",
    "cria",
    "criar",
    "remova",
    "aggiungi*",
    "correggi*",
    "scrivi",
    "rimuovi*",
    // Dutch, Polish, Swedish
    "implementeer*",
    "voeg",
    "repareer*",
    "verwijder*",
    "zaimplementuj*",
    "napraw*",
    "dodaj*",
    "usuń*",
    "implementera*",
    "åtgärda*",
    // Russian, Ukrainian
    "реализуй*",
    "исправь*",
    "добавь*",
    "удали*",
    "напиши*",
    "перепиши*",
    "виправ*",
    "додай*",
    "реалізуй*",
];
/// The same in languages that put no spaces between words.
const PIECES: &[&str] = &[
    "実装", "修正", "追加", "移行", "削除", "实现", "修复", "添加", "重构", "迁移", "實作", "구현", "수정",
    "추가",
];

/// UserPromptSubmit: the reminder, if it is due; empty otherwise.
///
/// # Errors
/// When the session's record can't be read or written.
pub(crate) fn at_prompt(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<&'static str> {
    if !scene.registry.policy.orchestrator && !around.orchestrator {
        return Ok("");
    }
    let prompt: String = call.prompt.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let kind = kind(&prompt);
    let due = kind == Kind::Work && !session.reminded && !session.unreminded;
    let off = session.unreminded || kind == Kind::Off;
    if (due, off) == (session.reminded, session.unreminded) {
        return Ok("");
    }
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    let Some(mut fresh) = scene.store.read_session(&session.session_id)? else { return Ok("") };
    (fresh.reminded, fresh.unreminded) = (due, off);
    scene.store.write_session(&fresh)?;
    Ok(if due { REMINDER } else { "" })
}

/// What a prompt is to the reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It asks for work.
    Work,
    /// It ends the reminders of this session.
    Off,
    /// It is not concerned.
    Other,
}

fn kind(prompt: &str) -> Kind {
    let end = prompt.char_indices().map(|(i, _)| i).take_while(|i| *i <= LOOKED).last().unwrap_or(0);
    let seen = if prompt.len() > LOOKED { prompt.get(..end).unwrap_or_default() } else { prompt };
    let text = seen.trim().to_lowercase();
    if text.starts_with('/') {
        return Kind::Other;
    }
    if text.contains("off orchestrator") || text.contains("orchestrator off") {
        return Kind::Off;
    }
    if text.contains("do it yourself") {
        return Kind::Other;
    }
    let words = text.split(|c: char| !c.is_alphanumeric());
    let asks = |word: &str| {
        VERBS.iter().any(|verb| match verb.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => word == *verb,
        })
    };
    let found =
        words.filter(|word| !word.is_empty()).any(asks) || PIECES.iter().any(|piece| text.contains(piece));
    if found { Kind::Work } else { Kind::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short() {
        assert!(comm_node_core::text::estimate_tokens(REMINDER) <= 30);
    }

    #[test]
    fn prompts_that_ask_for_work() {
        for prompt in [
            "Fix the login",
            "please implement bd-102",
            "could you refactor this?",
            "Add a page",
            "Migrate to v2",
            "Behebe den Fehler",
            "Implementiere die Seite",
            "Corrige le test",
            "Añade una página",
            "Исправь ошибку",
            "ログインを修正して",
            "请实现登录",
            "로그인을 구현해줘",
            "Aggiungi una pagina",
        ] {
            assert_eq!(kind(prompt), Kind::Work, "{prompt}");
        }
        for prompt in [
            "what does this do?",
            "/handoff fix",
            "fix it, do it yourself",
            "",
            "prefix and suffix",
            "the address",
            "explain the builder",
            "why is it slow",
            "thanks",
        ] {
            assert_eq!(kind(prompt), Kind::Other, "{prompt}");
        }
        assert_eq!(kind("off orchestrator, then fix it"), Kind::Off);
        assert_eq!(kind(&format!("{}fix", "é ".repeat(4000))), Kind::Other);
    }
}
